"""Clauses on gradients where there is no derivative: what PyTorch chooses, op by op.

These are facts measured on PyTorch 2.13, not rules of its pages; programs have come to rely on many of them.
"""

from __future__ import annotations

from math import inf, nan
from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause
from oracles.clauses.kinks import slopes


@clause("ND-18", "behaviour")
def activations(torch: Any, claim: Claim) -> None:
    """At a knee an activation takes one side's slope: the flat one, if there is one, but for hardswish at 3."""
    f = torch.nn.functional
    claim.equal(slopes(torch, f.relu, [0.0]), [[0.0]])
    claim.equal(slopes(torch, f.relu6, [0.0, 6.0]), [[0.0, 0.0]])
    claim.equal(slopes(torch, f.hardtanh, [-1.0, 1.0]), [[0.0, 0.0]])
    claim.equal(slopes(torch, f.hardsigmoid, [-3.0, 3.0]), [[0.0, 0.0]])
    claim.equal(slopes(torch, f.hardswish, [-3.0, 3.0]), [[0.0, 1.0]])
    claim.equal(slopes(torch, lambda x: f.softshrink(x, 0.5), [0.5]), [[0.0]])
    claim.equal(slopes(torch, lambda x: f.hardshrink(x, 0.5), [0.5]), [[0.0]])
    claim.equal(slopes(torch, lambda x: f.threshold(x, 0.0, 0.0), [0.0]), [[0.0]])
    claim.equal(slopes(torch, lambda x: f.leaky_relu(x, 0.25), [0.0]), [[0.25]])
    claim.equal(slopes(torch, lambda x: f.elu(x, 0.5), [0.0]), [[0.5]])
    claim.equal(slopes(torch, f.prelu, [0.0], [0.25]), [[0.25], [0.0]])


@clause("ND-19", "behaviour")
def clamped_by_numbers(torch: Any, claim: Claim) -> None:
    """At a number as bound clamp has the gradient 1, beyond it 0, and 0 where the bounds are crossed or x is NaN."""
    claim.equal(slopes(torch, lambda x: x.clamp(min=0.0), [0.0, -1.0]), [[1.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.clamp(max=0.0), [0.0, 1.0]), [[1.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.clamp(0.0, 1.0), [0.0, 1.0, 2.0]), [[1.0, 1.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.clamp(2.0, 1.0), [1.5]), [[0.0]])
    claim.equal(slopes(torch, lambda x: x.clamp(0.0, 1.0), [nan]), [[0.0]])


@clause("ND-20", "behaviour")
def clamped_by_tensors(torch: Any, claim: Claim) -> None:
    """Where x ties with a tensor as bound, clamp gives x all and the bound nothing."""
    claim.equal(
        slopes(torch, lambda x, low: x.clamp(min=low), [0.0, -1.0], [0.0, 0.0]), [[1.0, 0.0], [0.0, 1.0]]
    )
    claim.equal(
        slopes(torch, lambda x, high: x.clamp(max=high), [0.0, 1.0], [0.0, 0.0]), [[1.0, 0.0], [0.0, 1.0]]
    )


@clause("ND-21", "behaviour")
def larger_but_for_nan(torch: Any, claim: Claim) -> None:
    """fmax and fmin give their first argument all where the two tie, and where the second is NaN."""
    claim.equal(slopes(torch, torch.fmax, [1.0, 1.0], [1.0, nan]), [[1.0, 1.0], [0.0, 0.0]])
    claim.equal(slopes(torch, torch.fmin, [1.0, 1.0], [1.0, nan]), [[1.0, 1.0], [0.0, 0.0]])


@clause("ND-22", "behaviour")
def larger_than_nan(torch: Any, claim: Claim) -> None:
    """maximum and minimum of a number and NaN give each argument all."""
    claim.equal(slopes(torch, torch.maximum, [1.0], [nan]), [[1.0], [1.0]])
    claim.equal(slopes(torch, torch.minimum, [1.0], [nan]), [[1.0], [1.0]])


@clause("ND-23", "behaviour")
def shared_middles(torch: Any, claim: Claim) -> None:
    """median and nanmedian of everything, aminmax, and quantile between two elements share."""
    claim.equal(slopes(torch, lambda x: x.median(), [1.0, 1.0, 2.0, 0.0]), [[0.5, 0.5, 0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.nanmedian(), [1.0, nan, 1.0]), [[0.5, 0.0, 0.5]])
    claim.equal(slopes(torch, lambda x: x.aminmax().max, [1.0, 0.0, 1.0]), [[0.5, 0.0, 0.5]])
    claim.equal(slopes(torch, lambda x: x.quantile(0.5), [1.0, 2.0]), [[0.5, 0.5]])


@clause("ND-24", "behaviour")
def picked_by_index(torch: Any, claim: Claim) -> None:
    """What returns places sends gradients there alone, ties or not: sort, topk, kthvalue, cummax, median, mode."""
    weights = torch.tensor([1.0, 2.0, 4.0])
    claim.equal(
        slopes(torch, lambda x: torch.sort(x, stable=True)[0] * weights, [1.0, 1.0, 0.0]), [[2.0, 4.0, 1.0]]
    )
    claim.equal(slopes(torch, lambda x: x.cummax(0)[0] * weights, [1.0, 1.0, 0.0]), [[1.0, 6.0, 0.0]])
    for pick in (
        lambda x: x.topk(1),
        lambda x: x.kthvalue(1),
        lambda x: x.median(0),
        lambda x: x.mode(0),
    ):
        x = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
        value, place = pick(x)
        value.sum().backward()
        claim.equal(x.grad, [float(place.sum().item() == k) for k in range(3)])


@clause("ND-25", "behaviour")
def ends_of_domains(torch: Any, claim: Claim) -> None:
    """At an end of its domain where its slope has a pole, an op has an infinite gradient of the pole's sign."""
    claim.equal(slopes(torch, lambda x: x.sqrt(), [0.0]), [[inf]])
    claim.equal(slopes(torch, lambda x: x.rsqrt(), [0.0]), [[-inf]])
    claim.equal(slopes(torch, lambda x: x.log(), [0.0]), [[inf]])
    claim.equal(slopes(torch, lambda x: x.reciprocal(), [0.0]), [[-inf]])
    claim.equal(slopes(torch, lambda x: x.acos(), [1.0]), [[-inf]])
    claim.equal(slopes(torch, lambda x: x.asin(), [1.0]), [[inf]])
    claim.equal(slopes(torch, lambda x: x.acosh(), [1.0]), [[inf]])
    claim.equal(slopes(torch, lambda x: x.atanh(), [1.0]), [[inf]])


@clause("ND-26", "behaviour")
def powers_of_zero(torch: Any, claim: Claim) -> None:
    """0 to a power: slope inf below power 1, 1 at 1, 0 at 0 and above 1; a negative base leaves its power a NaN."""
    claim.equal(slopes(torch, lambda x: x**0.5, [0.0]), [[inf]])
    claim.equal(slopes(torch, lambda x: x**0, [0.0]), [[0.0]])
    claim.equal(slopes(torch, lambda x: x**2, [0.0]), [[0.0]])
    claim.equal(
        slopes(torch, lambda x, y: x**y, [0.0, 0.0, 0.0, -1.0], [0.0, 1.0, 2.0, 2.0]),
        [[0.0, 1.0, 0.0, -2.0], [0.0, 0.0, 0.0, nan]],
    )


@clause("ND-27", "behaviour")
def entropies(torch: Any, claim: Claim) -> None:
    """At 0 the slope of xlogy is 0, and 0/y in y, that of entr and logit inf; at its eps logit has the slope inside."""
    claim.equal(slopes(torch, torch.xlogy, [0.0, 0.0], [0.0, 1.0]), [[0.0, 0.0], [nan, 0.0]])
    claim.equal(slopes(torch, torch.special.entr, [0.0]), [[inf]])
    claim.equal(slopes(torch, torch.logit, [0.0, 0.5]), [[inf, 4.0]])
    claim.equal(slopes(torch, lambda x: torch.logit(x, eps=0.5), [0.5]), [[4.0]])


@clause("ND-28", "behaviour")
def angle_and_length_at_zero(torch: Any, claim: Claim) -> None:
    """At (0, 0) atan2 has the gradient 0, and hypot NaN."""
    claim.equal(slopes(torch, torch.atan2, [0.0], [0.0]), [[0.0], [0.0]])
    claim.equal(slopes(torch, torch.hypot, [0.0, 3.0], [0.0, 0.0]), [[nan, 1.0], [nan, 0.0]])


@clause("ND-29", "behaviour")
def norms(torch: Any, claim: Claim) -> None:
    """Norms give an element that is 0 the gradient 0, at p below 1 too; the infinity norm is shared among ties."""
    norm = torch.linalg.vector_norm
    claim.equal(slopes(torch, lambda x: norm(x, 1), [0.0, -1.0]), [[0.0, -1.0]])
    claim.equal(slopes(torch, lambda x: norm(x, 2), [0.0, 0.0]), [[0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: norm(x, inf), [1.0, -1.0]), [[0.5, -0.5]])
    claim.equal(slopes(torch, lambda x: norm(x, 0.5), [0.0, 1.0]), [[0.0, 1.0]])


@clause("ND-30", "behaviour")
def spread_of_constants(torch: Any, claim: Claim) -> None:
    """std and var of equal elements have the gradient 0."""
    claim.equal(slopes(torch, lambda x: x.std(), [1.0, 1.0]), [[0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.var(), [1.0, 1.0]), [[0.0, 0.0]])


@clause("ND-31", "behaviour")
def products_with_zeros(torch: Any, claim: Claim) -> None:
    """prod gives each element the product of the others, zeros or not; so does cumprod."""
    claim.equal(slopes(torch, lambda x: x.prod(), [0.0, 2.0, 3.0]), [[6.0, 0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.prod(), [0.0, 0.0, 3.0]), [[0.0, 0.0, 0.0]])
    claim.equal(slopes(torch, lambda x: x.cumprod(0), [2.0, 0.0, 3.0]), [[1.0, 8.0, 0.0]])


@clause("ND-32", "behaviour")
def nothing_to_weigh(torch: Any, claim: Claim) -> None:
    """logsumexp has gradient 0 for an element that is -inf, and NaN for all where all are."""
    claim.equal(slopes(torch, lambda x: x.logsumexp(0), [-inf, 0.0]), [[0.0, 1.0]])
    claim.equal(slopes(torch, lambda x: x.logsumexp(0), [-inf, -inf]), [[nan, nan]])


@clause("ND-33", "behaviour")
def distances(torch: Any, claim: Claim) -> None:
    """Between points that coincide pdist and cdist have the gradient 0; cosine_similarity at 0 divides by its eps."""
    claim.equal(slopes(torch, torch.pdist, [[1.0], [1.0]]), [[[0.0], [0.0]]])
    claim.equal(slopes(torch, torch.cdist, [[1.0]], [[1.0]]), [[[0.0]], [[0.0]]])
    claim.equal(
        slopes(torch, lambda a, b: torch.cosine_similarity(a, b, dim=0, eps=0.5), [0.0, 0.0], [1.0, 0.0]),
        [[2.0, 0.0], [0.0, 0.0]],
    )


@clause("ND-34", "behaviour")
def remainders(torch: Any, claim: Claim) -> None:
    """Remainders have slope 1 in x and minus the whole quotient in the divisor; a whole quotient has 0 in both."""
    claim.equal(slopes(torch, torch.frac, [1.0]), [[1.0]])
    claim.equal(slopes(torch, torch.fmod, [1.0, -3.0], [1.0, 2.0]), [[1.0, 1.0], [-1.0, 1.0]])
    claim.equal(slopes(torch, torch.remainder, [1.0, -3.0], [1.0, 2.0]), [[1.0, 1.0], [-1.0, 2.0]])
    claim.equal(
        slopes(torch, lambda a, b: torch.div(a, b, rounding_mode="floor"), [1.0], [1.0]), [[0.0], [0.0]]
    )


@clause("ND-35", "behaviour")
def no_derivative(torch: Any, claim: Claim) -> None:
    """heaviside says in backward that it has no derivative; what argmax and multinomial return requires no grad."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.heaviside(x, torch.tensor([0.5]))
    with claim.raises(RuntimeError, "derivative for aten::heaviside is not implemented"):
        y.sum().backward()
    claim.true(not x.argmax().requires_grad, "a place requires no grad")
    claim.true(not torch.multinomial(x, 1).requires_grad, "a drawn place requires no grad")


@clause("ND-36", "behaviour")
def bits_of_numbers(torch: Any, claim: Claim) -> None:
    """copysign at 0 has gradient 0, nextafter passes all to its first argument, ldexp multiplies by the power of 2."""
    claim.equal(slopes(torch, torch.copysign, [0.0, -2.0], [1.0, 1.0]), [[0.0, -1.0], [0.0, 0.0]])
    claim.equal(slopes(torch, torch.nextafter, [0.0], [1.0]), [[1.0], [0.0]])
    claim.equal(slopes(torch, torch.ldexp, [0.0], [1.0]), [[2.0], [0.0]])


@clause("ND-37", "behaviour")
def replaced_numbers(torch: Any, claim: Claim) -> None:
    """nan_to_num gives gradient 0 to whatever it replaces."""
    claim.equal(slopes(torch, torch.nan_to_num, [nan, inf, -inf, 1.0]), [[0.0, 0.0, 0.0, 1.0]])


@clause("ND-38", "behaviour")
def chosen_by_equality(torch: Any, claim: Claim) -> None:
    """where() on a comparison follows the branch that is taken, as if the comparison were constant."""
    claim.equal(
        slopes(torch, lambda a, b: torch.where(a == b, a, b), [1.0, 1.0], [1.0, 2.0]),
        [[1.0, 0.0], [0.0, 1.0]],
    )


@clause("ND-39", "behaviour")
def losses(torch: Any, claim: Claim) -> None:
    """l1_loss at a tie has slope 0, smooth_l1 and huber at the knee the outer one, margin losses the inner one."""
    f = torch.nn.functional
    claim.equal(slopes(torch, f.l1_loss, [1.0], [1.0]), [[0.0], [0.0]])
    claim.equal(slopes(torch, f.smooth_l1_loss, [1.0], [0.0]), [[1.0], [-1.0]])
    claim.equal(slopes(torch, f.huber_loss, [1.0], [0.0]), [[1.0], [-1.0]])
    below = torch.tensor([-1.0])
    claim.equal(slopes(torch, lambda x: f.hinge_embedding_loss(x, below), [1.0]), [[-1.0]])
    above = torch.tensor([1.0])
    claim.equal(slopes(torch, lambda a, b: f.margin_ranking_loss(a, b, above), [0.0], [0.0]), [[-1.0], [1.0]])


@clause("ND-40", "behaviour")
def pools(torch: Any, claim: Claim) -> None:
    """A maximum over windows goes to the first of the elements that tie."""
    pool = torch.nn.functional.max_pool1d
    claim.equal(slopes(torch, lambda x: pool(x, 2), [[[1.0, 1.0, 2.0, 3.0]]]), [[[[1.0, 0.0, 0.0, 1.0]]]])


@clause("ND-41", "behaviour")
def drawn_at_random(torch: Any, claim: Claim) -> None:
    """bernoulli, normal and poisson give what they drew from the gradient 0, and so does overwriting with uniform_."""
    claim.equal(slopes(torch, torch.bernoulli, [0.5, 0.5]), [[0.0, 0.0]])
    claim.equal(slopes(torch, lambda mean: torch.normal(mean, 1.0), [0.0]), [[0.0]])
    claim.equal(slopes(torch, torch.poisson, [1.0]), [[0.0]])
    claim.equal(slopes(torch, lambda x: x.clone().uniform_(), [1.0]), [[0.0]])


@clause("ND-42", "behaviour")
def scattered_ties(torch: Any, claim: Claim) -> None:
    """scatter_reduce by amax shares among all that tie, what was there before included."""
    at = torch.tensor([0, 0, 0])
    claim.equal(
        slopes(torch, lambda x, src: x.scatter_reduce(0, at, src, "amax"), [1.0], [1.0, 1.0, 1.0]),
        [[0.25], [0.25, 0.25, 0.25]],
    )


@clause("ND-43", "behaviour")
def sinc_at_zero(torch: Any, claim: Claim) -> None:
    """sinc has the gradient 0 at 0, where its quotient is 0/0."""
    claim.equal(slopes(torch, torch.sinc, [0.0]), [[0.0]])
