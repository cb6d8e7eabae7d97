"""Drawn at random: what is drawn depends on its parameters, but no gradient flows through the draw.

After `manual_seed`, `uniform_` and `normal` draw PyTorch's own numbers; the others only from PyTorch's distributions.
"""

from typing import Any

import numpy as np

from refgrad.dtypes import DEFAULT, Array, is_floating
from refgrad.factories import fused
from refgrad.op import OWN, ZERO, op
from refgrad.ops.activations import check_floating
from refgrad.public import broadcast, check_tensor, public
from refgrad.random import Generator, default_generator, randn
from refgrad.record import apply
from refgrad.tensor import Tensor


@op(x=ZERO, dtypes=OWN)
def bernoulli(x: Array, *, source: Generator) -> Any:
    return (source.uniform(x.size, DEFAULT).reshape(x.shape) < x).astype(x.dtype)


@op(x=ZERO, dtypes=OWN)
def poisson(x: Array, *, source: Generator) -> Any:
    drawn = np.random.Generator(np.random.MT19937(source.words(4).tolist()))
    return drawn.poisson(x).astype(x.dtype)


@op(mean=ZERO, dtypes=OWN, node="NormalBackward1")
def normal_of_mean(mean: Array, *, std: float, noise: Array) -> Any:
    return mean + std * noise.astype(mean.dtype)


@op(std=ZERO, dtypes=OWN, node="NormalBackward2")
def normal_of_std(std: Array, *, mean: float, noise: Array) -> Any:
    return mean + std * noise.astype(std.dtype)


@op(mean=ZERO, std=ZERO, dtypes=OWN, node="NormalBackward3")
def normal_of_both(mean: Array, std: Array, *, noise: Array) -> Any:
    return mean + std * noise.astype(mean.dtype)


@op(x=ZERO, dtypes=OWN)
def uniform(x: Array, *, low: float, high: float, source: Generator, drawn: Any) -> Any:
    kind = np.float64 if x.dtype == np.float64 else np.float32
    first, last = np.array([low, high], kind)
    numbers = source.uniform(x.size, drawn).astype(np.float64)
    return fused(numbers, np.float64(last - first), np.float64(first)).astype(x.dtype).reshape(x.shape)


@public("bernoulli", bernoulli, judged=False)
def _(input: Any, *, generator: Generator | None = None) -> Any:
    """1 with the probability that the input says, else 0; RuntimeError for a probability outside [0, 1]."""
    check_floating("bernoulli", input, "bernoulli_tensor_cpu_p_")
    if not np.all((input._array >= 0) & (input._array <= 1)):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    return apply(bernoulli, (input,), {"source": generator or default_generator})


@public("poisson", poisson, judged=False, method=False)
def _(input: Any, generator: Generator | None = None) -> Any:
    """How many of many rare events happen, where the input says how many do on average; RuntimeError if negative."""
    check_floating("poisson", input, "poisson_cpu")
    if np.any(input._array < 0):
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return apply(poisson, (input,), {"source": generator or default_generator})


@public("normal", normal_of_mean, judged=False, method=False)
def _(mean: Any, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None) -> Any:
    """Normal numbers of these means and standard deviations, tensors or numbers; of two numbers, in this size."""
    spread = std._array if type(std) is Tensor else np.asarray(std)
    if np.any(spread < 0):
        said = "normal expects all elements of std >= 0.0"
        raise RuntimeError(
            said if type(std) is Tensor else f"normal expects std >= 0.0, but found std {std:g}"
        )
    if size is not None:
        return mean + std * randn(*size, generator=generator)
    given = [x for x in (mean, std) if type(x) is Tensor]
    if not given:
        raise TypeError("normal() received an invalid combination of arguments: two numbers need a size")
    for x in given:
        check_floating("normal", x, "normal_kernel_cpu")
    shape = broadcast(given[0]._array.shape, given[-1]._array.shape)
    noise = {"noise": randn(*shape, generator=generator, dtype=given[0].dtype)._array}
    if len(given) == 2:
        return apply(normal_of_both, (mean, std), noise)
    if type(mean) is Tensor:
        return apply(normal_of_mean, (mean,), {"std": std, **noise})
    return apply(normal_of_std, (std,), {"mean": mean, **noise})


@public("multinomial", bernoulli, judged=False)
def _(input: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None) -> Any:
    """For each row so many places, drawn with probabilities in proportion to its elements; they require no grad."""
    check_tensor("multinomial", input)
    if not is_floating(input._array.dtype):
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {input.dtype.word}"
        )
    if input._array.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    weights = input._array.astype(np.float64)
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > weights.shape[-1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if np.any(weights.sum(axis=-1) <= 0):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    drawn = np.random.Generator(np.random.MT19937((generator or default_generator).words(4).tolist()))
    if replacement:
        ends = np.cumsum(weights, axis=-1)
        points = drawn.random((*weights.shape[:-1], num_samples)) * ends[..., -1:]
        return Tensor((points[..., None] >= ends[..., None, :]).sum(axis=-1))
    with np.errstate(divide="ignore"):  # of probability 0: infinitely late
        arrivals = drawn.standard_exponential(weights.shape) / weights
    return Tensor(np.argsort(arrivals, axis=-1)[..., :num_samples])


def uniform_(
    self: Tensor, low: float = 0.0, high: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Write numbers from [low, high) over the tensor, and return it; what they overwrite gets the gradient 0."""
    from refgrad.inplace import overwrite  # writing in place is made of ops

    if not self.is_floating_point():
        raise NotImplementedError(f"\"check_uniform_bounds\" not implemented for '{self.dtype.word}'")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    settings = {"low": low, "high": high, "source": generator or default_generator, "drawn": self.dtype}
    return overwrite(self, lambda x: apply(uniform, (x,), settings))


setattr(Tensor, "uniform_", uniform_)  # noqa: B010 - a method that the class does not declare
