"""Random tensors: PyTorch's generator on the CPU, the 32-bit Mersenne Twister, and what PyTorch makes of its words.

After `manual_seed` the numbers are PyTorch's own, bit for bit, except those of `randn` in float32 and below from 16
elements on: there PyTorch uses vector instructions' logarithms and sines, whose last bits depend on the machine.
"""

import math
import secrets
from typing import Any, Final

import numpy as np

from refgrad import devices
from refgrad.devices import check_device
from refgrad.dtypes import DEFAULT, F32, F64, Array, dtype, float64, int64, to_numpy
from refgrad.factories import fused, made, new_size
from refgrad.public import wrong_type
from refgrad.tensor import Tensor

WORD: Final = 2**32 - 1
DIGITS: Final = {"float64": 53}
"""How many random bits a number between 0 and 1 has, where it is not the 24 of a float32."""
WIDE: Final = 2**28
"""From this range on integers are drawn from two words."""
BLOCK: Final = 16
"""From so many elements on normal numbers are made in blocks."""


class Generator:
    """A source of random numbers; `torch.manual_seed` seeds the one that is used where none is given."""

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        self.manual_seed(67280421310721)

    def manual_seed(self, seed: int) -> "Generator":
        """Start again from `seed`, of which only the low 32 bits count."""
        self._seed = int(seed)
        self._words = np.random.MT19937()
        self._words._legacy_seeding(self._seed & WORD)  # Knuth's, as PyTorch's
        self._waiting: float | None = None
        return self

    def initial_seed(self) -> int:
        """The seed it was last started from."""
        return self._seed

    def seed(self) -> int:
        """Start again from a seed that nobody knows, and return it."""
        return self.manual_seed(secrets.randbits(63))._seed

    @property
    def device(self) -> devices.device:
        """The CPU."""
        return devices.CPU

    def words(self, count: int) -> Array:
        """So many random words of 32 bits."""
        return np.asarray(self._words.random_raw(count)).astype(np.uint64)

    def long_words(self, count: int) -> Array:
        """So many random words of 64 bits, each of two, the high one first."""
        pairs = self.words(2 * count).reshape(count, 2)
        return np.asarray((pairs[:, 0] << np.uint64(32)) | pairs[:, 1])

    def uniform(self, count: int, kind: dtype) -> Array:
        """So many numbers from [0, 1), multiples of a power of two: float64, or float32 for narrower dtypes."""
        bits = DIGITS.get(kind.name, 24)
        words = self.long_words(count) if kind is float64 else self.words(count)
        kept = words & np.uint64(2**bits - 1)
        numbers: Array = kept.astype(np.float64 if kind is float64 else np.float32)
        return np.ldexp(numbers, -bits)

    def normal(self, count: int, kind: dtype) -> Array:
        """So many numbers of the standard normal distribution."""
        if count < BLOCK:
            return np.array([self._one_normal() for _ in range(count)]).astype(to_numpy(kind))
        drawn = self.uniform(count, kind)
        blocks = [drawn[i : i + BLOCK] for i in range(0, count - BLOCK + 1, BLOCK)]
        filled = np.concatenate([_turned(block) for block in blocks])
        if count % BLOCK:  # the last block is drawn anew, over the end of the one before
            filled = np.concatenate([filled[: count - BLOCK], _turned(self.uniform(BLOCK, kind))])
        return filled.astype(to_numpy(kind))

    def _one_normal(self) -> float:
        """The next of a pair made by Box and Muller's rule."""
        if self._waiting is not None:
            number, self._waiting = self._waiting, None
            return number
        angle, radius = self.uniform(2, float64).tolist()
        radius = math.sqrt(-2 * math.log1p(-radius))
        self._waiting = radius * math.sin(2 * math.pi * angle)
        return radius * math.cos(2 * math.pi * angle)


def _turned(block: Array) -> Array:
    """Sixteen uniform numbers as normal ones: the first eight give the radii, the others the angles."""
    u, v = 1 - block[: BLOCK // 2], block[BLOCK // 2 :]
    if (
        block.dtype == np.float64
    ):  # the C library's functions, as PyTorch's; NumPy's vector ones round otherwise
        radius = np.array([math.sqrt(-2 * math.log(n)) for n in u.tolist()])
        angles = [2 * math.pi * n for n in v.tolist()]
        turns = np.array([[math.cos(a) for a in angles], [math.sin(a) for a in angles]])
        return np.concatenate([radius * turns[0], radius * turns[1]])
    radius, angle = np.sqrt(-2 * np.log(u)), np.float32(2 * math.pi) * v
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)])


default_generator: Final = Generator()
default_generator.seed()


def manual_seed(seed: int) -> Generator:
    """Start the default generator again from `seed`, and return it."""
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Start the default generator again from a seed that nobody knows, and return it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator was last started from."""
    return default_generator.initial_seed()


def rand(
    *sides: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers from [0, 1); NotImplementedError for integers."""
    return _filled(
        Generator.uniform,
        "check_uniform_bounds",
        new_size("rand", sides, size),
        generator,
        dtype,
        device,
        requires_grad,
    )


def randn(
    *sides: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of the standard normal distribution; NotImplementedError for integers."""
    return _filled(
        Generator.normal,
        "normal_kernel_cpu",
        new_size("randn", sides, size),
        generator,
        dtype,
        device,
        requires_grad,
    )


def rand_like(input: Tensor, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers from [0, 1) in the shape and dtype of `input`."""
    return rand(tuple(input.shape), dtype=dtype or input.dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: dtype | None = None, requires_grad: bool = False) -> Tensor:
    """Numbers of the standard normal distribution in the shape and dtype of `input`."""
    return randn(tuple(input.shape), dtype=dtype or input.dtype, requires_grad=requires_grad)


def randint(
    low: int,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: dtype = int64,
    device: Any = None,
) -> Tensor:
    """Whole numbers from `low`, 0 if left out, up to `high`, exclusive; RuntimeError where there are none."""
    if size is None and isinstance(high, tuple | list):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if not isinstance(size, tuple | list):
        raise wrong_type("randint", "size", 3, size, "tuple of ints")
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    check_device(device)
    shape = new_size("randint", (size,))
    source, count = generator or default_generator, math.prod(shape)
    words = source.long_words(count) if high - low >= WIDE else source.words(count)
    drawn = (words % np.uint64(high - low)).astype(np.int64) + low
    return made(drawn.astype(to_numpy(dtype)).reshape(shape))


def randperm(n: int, *, generator: Generator | None = None, dtype: dtype = int64) -> Tensor:
    """The whole numbers below `n`, shuffled from the front."""
    if not isinstance(n, int):
        raise wrong_type("randperm", "n", 1, n, "int")
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    order = list(range(n))
    for i, word in enumerate((generator or default_generator).words(max(n - 1, 0)).tolist()):
        j = i + word % (n - i)
        order[i], order[j] = order[j], order[i]
    return made(np.array(order, to_numpy(dtype)))


def between(low: float, high: float, shape: tuple[int, ...], kind: dtype = DEFAULT) -> Tensor:
    """Numbers from [low, high), as `Tensor.uniform_` draws them: multiplied and added with one rounding."""
    first, last = np.array([low, high], F64 if kind is float64 else F32)
    drawn = default_generator.uniform(math.prod(shape), kind).astype(np.float64)
    spread = fused(drawn, np.float64(last - first), np.float64(first))
    return made(spread.astype(to_numpy(kind)).reshape(shape))


def _filled(
    draw: Any,
    kernel: str,
    shape: tuple[int, ...],
    generator: Generator | None,
    kind: dtype | None,
    device: Any,
    requires_grad: bool,
) -> Tensor:
    """A new tensor of numbers from one of a generator's distributions."""
    kind = kind or DEFAULT
    if not kind.is_floating_point:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{kind.word}'")
    check_device(device)
    numbers = draw(generator or default_generator, math.prod(shape), kind).astype(to_numpy(kind))
    if draw is Generator.uniform:
        numbers[numbers == 1] = 0  # what a narrow dtype rounds up to 1 becomes the low end, as in PyTorch
    return made(numbers.reshape(shape), requires_grad)
