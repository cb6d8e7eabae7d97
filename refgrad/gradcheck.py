"""`gradcheck` and `gradgradcheck`, for code that calls them: PyTorch's contract, with its defaults and blind spots.

This is not how refgrad judges anybody: its own judges are in `oracles`, and they notice far smaller errors.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refgrad.backward import grad
from refgrad.gradcheck_jacobians import (
    GradcheckError,
    analytical,
    by_tangents,
    differentiable,
    directions,
    numerical,
    numerical_along,
    pulled_back,
    pushed_along,
    tensors_of,
)
from refgrad.gradcheck_laws import check_undefined, check_zero_cotangents
from refgrad.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Compare the gradients of `func` with central differences, as `torch.autograd.gradcheck` does; True if they agree.

    inputs: a tensor, or several values, of which those that require grad are perturbed by `eps` (in place, and back).
    atol, rtol: a gradient agrees if it is off by at most `atol` plus `rtol` times the difference quotient.
    fast_mode: compare one random projection of the Jacobian instead of every element.
    nondet_tol: by how much two backward passes may differ.
    masked: there are no sparse tensors here, so that it changes nothing.
    Raises GradcheckError where they do not agree, unless `raise_exception` is false: then the answer is False.
    Raises ValueError if no input requires grad, NotImplementedError for batched gradients, which need vmap.
    """
    if not (check_forward_ad or check_backward_ad):
        raise AssertionError("Expected at least one of check_forward_ad or check_backward_ad to be True")
    if check_batched_grad and not check_backward_ad:
        raise AssertionError("Setting check_batched_grad=True requires check_backward_ad to be True")
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError("Setting check_batched_forward_grad=True requires check_forward_ad to be True")
    if check_batched_grad or check_batched_forward_grad:
        raise NotImplementedError("refgrad has no vmap, which batched gradients are computed with")
    checker = _Check(func, _as_tuple(inputs), eps, atol, rtol, nondet_tol, check_grad_dtypes, fast_mode)
    try:
        checker.run(forward=check_forward_ad, backward=check_backward_ad, undefined=check_undefined_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """The same for the gradients of the gradients: `gradcheck` of what `func` pulls `grad_outputs` back to.

    grad_outputs: the cotangents of the outputs; drawn between -1 and 1 where they are left out.
    """
    if not (check_fwd_over_rev or check_rev_over_rev):
        raise AssertionError("Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True")
    if check_undefined_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_undefined_grad=True requires check_rev_over_rev to be True")
    if check_batched_grad and not check_rev_over_rev:
        raise AssertionError("Setting check_batched_grad=True requires check_rev_over_rev to be True")
    given = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = differentiable(func(*given))
        cotangents = _drawn(outputs, spread=gen_non_contig_grad_outputs)
    else:
        cotangents = _as_tuple(grad_outputs)

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        own, gs = args[: len(given)], args[len(given) :]
        found = grad(differentiable(func(*own)), tensors_of(own), gs, create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        given + cotangents,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
    )


class _Check:
    """One call of `gradcheck`."""

    def __init__(
        self,
        func: Callable[..., Any],
        inputs: tuple[Any, ...],
        eps: float,
        atol: float,
        rtol: float,
        nondet_tol: float,
        check_grad_dtypes: bool,
        fast_mode: bool,
    ) -> None:
        self.func, self.inputs = func, inputs
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.nondet_tol, self.same_dtypes, self.fast = nondet_tol, check_grad_dtypes, fast_mode

    def run(self, *, forward: bool, backward: bool, undefined: bool) -> None:
        """Raise GradcheckError where something does not agree."""
        _check_inputs(self.inputs)
        returned = self.func(*self.inputs)
        outputs = differentiable(returned)
        if not outputs:
            self._check_constant()
            return
        if self.fast:
            self._fast(outputs, forward=forward, backward=backward)
        else:
            self._slow(outputs, forward=forward, backward=backward)
        if backward:
            check_zero_cotangents(outputs, tensors_of(self.inputs))
            if undefined:
                check_undefined(self.func, self.inputs, outputs)

    def _check_constant(self) -> None:
        """Outputs that do not require grad must not depend on the inputs."""
        for found in numerical(self.func, self.inputs, self.eps, every=True):
            if any(np.any(jacobian != 0) for jacobian in found):
                raise GradcheckError("Numerical gradient for function expected to be zero")

    def _slow(self, outputs: Sequence[Tensor], *, forward: bool, backward: bool) -> None:
        """Compare whole Jacobians."""
        expected = numerical(self.func, self.inputs, self.eps)
        for i, y in enumerate(outputs if backward else ()):
            self._compare(self._repeatable(y, None), expected[i], i, BACKWARD)
        if forward:
            found = by_tangents(self.func, self.inputs, [y.numel() for y in outputs])
            for i in range(len(outputs)):
                self._compare(found[i], expected[i], i, FORWARD)

    def _compare(self, found: Sequence[Any], expected: Sequence[Any], output: int, how: str) -> None:
        for j, (a, n) in enumerate(zip(found, expected, strict=True)):
            if not _close(a, n, self.rtol, self.atol):
                raise GradcheckError(_mismatch(a, n, output, j, how))

    def _repeatable(self, y: Tensor, v: Any) -> list[Any]:
        """The Jacobians of an output, or what they pull `v` back to; GradcheckError unless asking twice is the same."""
        xs = tensors_of(self.inputs)

        def ask() -> list[Any]:
            return (
                analytical(y, xs, self.same_dtypes) if v is None else pulled_back(y, xs, v, self.same_dtypes)
            )

        first, second = ask(), ask()
        for a, b in zip(first, second, strict=True):
            if not _close(a, b, 0.0, self.nondet_tol, equal_nan=True):
                raise GradcheckError(NOT_REENTRANT.format(self.nondet_tol))
        return first

    def _fast(self, outputs: Sequence[Tensor], *, forward: bool, backward: bool) -> None:
        """Compare `v` times the Jacobian times `u`, for random `v` and unit vectors `u`, none of them negative."""
        us, vs = directions(tensors_of(self.inputs), outputs)
        expected = numerical_along(self.func, self.inputs, us, self.eps)
        for i, y in enumerate(outputs if backward else ()):
            for j, pulled in enumerate(self._repeatable(y, vs[i])):
                a, n = (pulled * us[j]).sum(), (expected[i][j] * vs[i]).sum()
                self._compare_fast(a, n, i, j, self.atol * us[j].sum() * vs[i].sum(), BACKWARD)
        if forward:
            found = pushed_along(self.func, self.inputs, us, len(outputs))
            for i in range(len(outputs)):
                for j, u in enumerate(us):
                    self._compare_fast(found[i][j], expected[i][j], i, j, self.atol * u.sum(), FORWARD)

    def _compare_fast(self, a: Any, n: Any, output: int, input: int, atol: float, how: str) -> None:
        """An error of `atol` in each element of the Jacobian moves its projection by that times what projects it."""
        if _close(a, n, self.rtol, atol):
            return
        expected = numerical(self.func, self.inputs, self.eps)[output][input]
        ys = differentiable(self.func(*self.inputs))
        if how is FORWARD:
            found = by_tangents(self.func, self.inputs, [y.numel() for y in ys])[output][input]
        else:
            found = analytical(ys[output], tensors_of(self.inputs), self.same_dtypes)[input]
        text = _mismatch(a, n, output, input, how) + SLOWLY.format(
            Tensor(expected), Tensor(found), np.max(np.abs(found - expected), initial=0.0)
        )
        if _close(found, expected, self.rtol, self.atol):
            text += SLOW_PASSES
        raise GradcheckError(text)


BACKWARD, FORWARD = "Jacobian", "Jacobian computed with forward mode"


def _as_tuple(given: Any) -> tuple[Any, ...]:
    return tuple(given) if isinstance(given, tuple | list) else (given,)


def _check_inputs(inputs: Sequence[Any]) -> None:
    """Warn of inputs below double precision; raise for those that overlap, or if none requires grad."""
    any_requires = False
    for i, x in enumerate(inputs):
        if not isinstance(x, Tensor) or not x.requires_grad:
            continue
        any_requires = True
        if x.is_complex():
            raise NotImplementedError("gradcheck of complex inputs is not implemented here")
        if x._array.dtype != np.float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or complex. This "
                "check will likely fail if all the inputs are not of double precision floating point or "
                "complex. ",
                UserWarning,
                stacklevel=5,
            )
        if any(step == 0 and size > 1 for step, size in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that are "
                "non-overlapping to be able to compute the numerical gradients correctly. You should call "
                ".contiguous on the input before passing it to gradcheck."
            )
    if not any_requires:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them have "
            "requires_grad=True."
        )


def _drawn(outputs: Sequence[Tensor], *, spread: bool) -> tuple[Tensor, ...]:
    """A cotangent for each output, drawn between -1 and 1; `spread`: with gaps between its elements."""
    rng = np.random.default_rng(0)
    drawn = []
    for y in outputs:
        shape = y._array.shape
        wide = (*shape[:-1], 2 * shape[-1]) if spread and shape else shape
        array = np.asarray(rng.uniform(-1, 1, wide)).astype(y._array.dtype)
        drawn.append(Tensor(array if wide == shape else array[..., ::2]).requires_grad_())
    return tuple(drawn)


def _close(a: Any, n: Any, rtol: float, atol: float, *, equal_nan: bool = False) -> bool:
    return bool(np.allclose(a, n, rtol, atol, equal_nan=equal_nan))


def _mismatch(a: Any, n: Any, output: int, input: int, how: str) -> str:
    shown = [Tensor(x) if isinstance(x, np.ndarray) and x.ndim else float(x) for x in (n, a)]
    return (
        f"{how} mismatch for output {output} with respect to input {input},\n"
        f"numerical:{shown[0]}\nanalytical:{shown[1]}\n"
    )


NOT_REENTRANT = (
    "Backward is not reentrant, i.e., running backward with same input and grad_output multiple times gives "
    "different values, although analytical gradient matches numerical gradient.The tolerance for nondeterminism "
    "was {}.\n\nA backward that is meant to vary is let pass with `nondet_tol=<tol>`.\n"
)
SLOWLY = (
    "\nThe above quantities relating the numerical and analytical jacobians are computed \nin fast mode. See: "
    "https://github.com/pytorch/pytorch/issues/53876 for more background \nabout fast mode. Below, we recompute "
    "numerical and analytical jacobians in slow mode:\n\nNumerical:\n {}\nAnalytical:\n{}\n\nThe max per-element "
    "difference (slow mode) is: {}.\n"
)
SLOW_PASSES = (
    "\nFast gradcheck failed but element-wise differences are small. This means that the\ntest might've passed in "
    "slow_mode!\n"
)
