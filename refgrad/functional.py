"""Jacobians, Hessians and their products, as `torch.autograd.functional` offers them.

Every product is made of vector-Jacobian products: a Jacobian times a vector is the vector-Jacobian product of a
vector-Jacobian product, which is linear in its cotangent.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from refgrad.backward import grad
from refgrad.forward_ad import dual_level, make_dual, unpack_dual
from refgrad.modes import enable_grad, is_grad_enabled, set_grad_enabled
from refgrad.public import FUNCTIONS
from refgrad.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Several = tuple[Any, ...]
OUTPUTS = "outputs of the user-provided function"


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs of `func`, and the vector `v`, of the outputs' shapes, times its Jacobian.

    v: may be left out where the output has one element.
    create_graph: whether what is returned can be differentiated.
    strict: raise RuntimeError where an output does not depend on an input; else that part is zero.
    """
    with enable_grad():
        alone, xs = _tensors(inputs, "inputs", "vjp")
        xs = _prepared(xs, create_graph)
        one, ys = _tensors(func(*xs), OUTPUTS, "vjp")
        _require_grad(ys, "outputs", strict)
        vs = _vector(v, ys, one, "vjp", create_graph)
        if vs is None and (not one or ys[0].numel() != 1):
            raise RuntimeError(
                "The vector v can only be None if the user-provided function returns a single Tensor with a "
                "single element."
            )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        gs = _filled(_grads(ys, xs, vs, create_graph), xs, strict, create_graph, "back")
    return _result(ys, one, create_graph), _result(gs, alone, create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The outputs of `func`, and its Jacobian times the vector `v`, of the inputs' shapes; see `vjp`."""
    with enable_grad():
        alone, xs = _tensors(inputs, "inputs", "jvp")
        xs = _prepared(xs, create_graph)
        vs = _input_vector(v, xs, alone, "jvp", create_graph)
        one, ys = _tensors(func(*xs), OUTPUTS, "jvp")
        _require_grad(ys, "outputs", strict)
        us = tuple(_zeros(y).requires_grad_() for y in ys)
        gs = _grads(ys, xs, us, create_graph=True)
        _require_grad(gs, "grad_inputs", strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        ts = _filled(_grads(gs, us, vs, create_graph), us, strict, create_graph, "back_trick")
    return _result(ys, one, create_graph), _result(ts, one, create_graph)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The output of `func`, one element, and the vector `v` times its Hessian; see `vjp`."""
    with enable_grad():
        alone, xs = _tensors(inputs, "inputs", "vhp")
        xs = _prepared(xs, create_graph)
        vs = _input_vector(v, xs, alone, "vhp", create_graph)
        y = _single(func(*xs), "vhp", strict)
        gs = _grads((y,), xs, None, create_graph=True)
        _require_grad(gs, "jacobian", strict)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        hs = _filled(_grads(gs, xs, vs, create_graph), xs, strict, create_graph, "double_back")
    return _result((y,), True, create_graph), _result(hs, alone, create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """The output of `func`, one element, and its Hessian times the vector `v`; see `vjp`."""
    with enable_grad():
        alone, xs = _tensors(inputs, "inputs", "hvp")
        xs = _prepared(xs, create_graph)
        vs = _input_vector(v, xs, alone, "hvp", create_graph)
        y = _single(func(*xs), "hvp", strict)
        gs = _grads((y,), xs, None, create_graph=True)
        _require_grad(gs, "jacobian", strict)
        us = tuple(_zeros(x).requires_grad_() for x in xs)
        double = _grads(gs, xs, us, create_graph=True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        hs = _filled(_grads(double, us, vs, create_graph), us, strict, create_graph, "double_back_trick")
    return _result((y,), True, create_graph), _result(hs, alone, create_graph)


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func`, of the output's shape followed by the input's; nested tuples for several.

    vectorize: nothing is faster for it here; what PyTorch refuses with or without it is refused.
    strategy: "reverse-mode", or "forward-mode", which goes by columns.
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your function has more '
            'outputs than inputs, "forward-mode" tends to be more performant. Otherwise, prefer to use '
            '"reverse-mode".'
        )
    if strategy == "forward-mode":
        _refuse_forward(create_graph=create_graph, strict=strict, vectorize=vectorize)
        return _by_columns(func, inputs)
    with enable_grad():
        alone, xs = _tensors(inputs, "inputs", "jacobian")
        xs = _prepared(xs, create_graph)
        one, ys = _tensors(func(*xs), OUTPUTS, "jacobian")
        _require_grad(ys, "outputs", strict)
        if strict and vectorize:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not supported "
                "together. Please either set `strict=False` or `vectorize=False`."
            )
        rows = [_by_rows(i, y, xs, strict=strict, create_graph=create_graph) for i, y in enumerate(ys)]
    nested = tuple(_result(row, alone, create_graph) for row in rows)
    return nested[0] if one else nested


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of `func`, whose output has one element: the inputs' shapes in pairs; see `jacobian`."""
    alone, xs = _tensors(inputs, "inputs", "hessian")
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def gradient(*ts: Tensor) -> Several:
        if outer_jacobian_strategy == "forward-mode":
            for t in ts:
                t.requires_grad_()
        found: Several = jacobian(
            lambda *us: _single(func(*us), "hessian", strict).reshape(()), ts, create_graph=True
        )
        _require_grad(found, "jacobian", strict)
        return found

    found = jacobian(gradient, xs, create_graph, strict, vectorize, outer_jacobian_strategy)
    return found[0][0] if alone else found


def _refuse_forward(*, create_graph: bool, strict: bool, vectorize: bool) -> None:
    """Raise as PyTorch does for what the forward-mode strategy does not go with."""
    if create_graph:
        raise NotImplementedError(
            'torch.autograd.functional.jacobian: `create_graph=True` and `strategy="forward-mode"` are not '
            'supported together (yet). Please either set `create_graph=False` or `strategy="reverse-mode"`.'
        )
    if strict:
        raise RuntimeError(
            'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` are not supported '
            'together (yet). Please either set `strict=False` or `strategy="reverse-mode"`.'
        )
    if not vectorize:
        raise NotImplementedError(
            "Computing Jacobian using forward-AD or forward-over-reverse Hessian is"
            "only implemented for `vectorize=True`."
        )


def _by_rows(number: int, y: Tensor, xs: Sequence[Tensor], *, strict: bool, create_graph: bool) -> Several:
    """The Jacobian of one output with respect to each input, a row at a time."""
    rows: list[list[Tensor]] = [[] for _ in xs]
    for element in range(y.numel()):
        gs = _grads((y.reshape(-1)[element],), xs, None, create_graph, retain_graph=True)
        for i, (g, x) in enumerate(zip(gs, xs, strict=True)):
            if g is None and strict:
                raise RuntimeError(
                    f"Output {number} of the user-provided function is independent of input {i}. This is not "
                    "allowed in strict mode."
                )
            if strict and create_graph and not g.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {i}. This is not "
                    "allowed in strict mode when create_graph=True."
                )
            rows[i].append(_zeros(x) if g is None else g)
    stack = FUNCTIONS["stack"]
    return tuple(stack(row, 0).view((*y.shape, *x.shape)) for row, x in zip(rows, xs, strict=True))


def _by_columns(func: Callable[..., Any], inputs: Any) -> Any:
    """The Jacobian by forward mode, a column at a time."""
    alone, xs = _tensors(inputs, "inputs", "jacobian")
    one = True
    ys: Several = ()
    columns: list[list[list[Any]]] = []  # by input, element and output
    for position, x in enumerate(xs):
        columns.append([])
        for element in range(x.numel()):
            direction = np.zeros_like(x._array)
            direction.reshape(-1)[element] = 1
            with dual_level():
                dual = make_dual(x.detach(), Tensor(direction))
                given = [dual if i == position else other for i, other in enumerate(xs)]
                one, ys = _tensors(func(*given), OUTPUTS, "jacobian")
                columns[-1].append([unpack_dual(y).tangent for y in ys])
    nested = []
    for number, y in enumerate(ys):
        row = []
        for x, found in zip(xs, columns, strict=True):
            arrays = [np.zeros_like(y._array) if ts[number] is None else ts[number]._array for ts in found]
            row.append(Tensor(np.stack(arrays, -1).reshape((*y.shape, *x.shape))))
        nested.append(row[0] if alone else tuple(row))
    return nested[0] if one else tuple(nested)


def _tensors(given: Any, what: str, function: str) -> tuple[bool, Several]:
    """Whether `given` is one tensor, and it as a tuple; TypeError unless it is a tensor or a tuple of them."""
    alone = not isinstance(given, tuple)
    found = (given,) if alone else given
    for i, each in enumerate(found):
        if not isinstance(each, Tensor):
            which = (
                f"the given {what} has type {type(each)}"
                if alone
                else (f"the value at index {i} has type {type(each)}")
            )
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors but {which}."
            )
    return alone, found


def _prepared(xs: Sequence[Tensor], create_graph: bool, need_graph: bool = True) -> Several:
    """Inputs that can be differentiated by: part of their graph with `create_graph`, else cut off."""
    return tuple(
        x.view(x.shape) if create_graph and x.requires_grad else x.detach().requires_grad_(need_graph)
        for x in xs
    )


def _vector(v: Any, like: Several, alone: bool, function: str, create_graph: bool) -> Several | None:
    """The vector as a tuple of tensors of the shapes of `like`; RuntimeError if it does not fit."""
    if v is None:
        return None
    _, vs = _tensors(v, "v", function)
    vs = _prepared(vs, create_graph, need_graph=False)
    if len(vs) != len(like):
        if alone:
            raise RuntimeError("The given v should contain a single Tensor.")
        raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}.")
    for i, (each, other) in enumerate(zip(vs, like, strict=True)):
        if each.shape != other.shape:
            entry = "" if alone else f"Entry {i} in "
            raise RuntimeError(f"{entry}v has invalid size: should be {other.shape} but got {each.shape}.")
    return vs


def _input_vector(v: Any, xs: Several, alone: bool, function: str, create_graph: bool) -> Several | None:
    """The vector beside the inputs; RuntimeError if it is left out where there is more than one element."""
    if v is None and (not alone or xs[0].numel() != 1):
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single Tensor with "
            "a single element."
        )
    return _vector(v, xs, alone, function, create_graph)


def _single(returned: Any, function: str, strict: bool) -> Tensor:
    """The one tensor of one element that `func` returned; RuntimeError if it is not that."""
    alone, ys = _tensors(returned, OUTPUTS, function)
    _require_grad(ys, "outputs", strict)
    if not alone:
        raise RuntimeError(f"The function given to {function} should return a single Tensor")
    if ys[0].numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {function} should contain a single element"
        )
    y: Tensor = ys[0]
    return y


def _zeros(x: Tensor) -> Tensor:
    return Tensor(np.zeros_like(x._array))


def _grads(
    ys: Sequence[Tensor | None],
    xs: Sequence[Tensor],
    vs: Sequence[Tensor] | None,
    create_graph: bool,
    retain_graph: bool | None = None,
) -> Several:
    """The gradients of those of `ys` that require grad, each None where there is none."""
    pairs = zip(ys, vs or (None,) * len(ys), strict=True)
    live = [(y, v) for y, v in pairs if y is not None and y.requires_grad]
    if not live:
        return (None,) * len(xs)
    outputs, cotangents = zip(*live, strict=True)
    found: Several = grad(
        outputs, xs, cotangents, allow_unused=True, create_graph=create_graph, retain_graph=retain_graph
    )
    return found


def _require_grad(found: Several, what: str, strict: bool) -> None:
    """In strict mode raise RuntimeError unless each of `found` depends on the inputs."""
    for i, each in enumerate(found if strict else ()):
        if each is None:
            raise RuntimeError(
                f"The output of the user-provided function is independent of input {i}. This is not allowed in "
                "strict mode."
            )
        if not each.requires_grad:
            raise RuntimeError(INDEPENDENT[what].format(i=i))


INDEPENDENT = {
    "outputs": "Output {i} of the user-provided function does not require gradients. The outputs must be "
    "computed in a differentiable manner from the input when running in strict mode.",
    "grad_inputs": "The gradient with respect to input {i} is independent of the inputs of the user-provided "
    "function. This is not allowed in strict mode.",
    "jacobian": "While computing the hessian, found that the jacobian of the user-provided function with "
    "respect to input {i} is independent of the input. This is not allowed in strict mode. You should ensure "
    "that your function is twice differentiable and that the jacobian depends on the inputs (this would be "
    "violated by a linear function for example).",
}

MISSING = {
    "back": "The output of the user-provided function is independent of input {i}. This is not allowed in "
    "strict mode.",
    "back_trick": "The gradient with respect to the input is independent of entry {i} in the grad_outputs when "
    "using the double backward trick to compute forward mode gradients. This is not allowed in strict mode.",
    "double_back": "The jacobian of the user-provided function is independent of input {i}. This is not "
    "allowed in strict mode.",
    "double_back_trick": "The hessian of the user-provided function is independent of entry {i} in the "
    "grad_jacobian. This is not allowed in strict mode as it prevents from using the double backward trick to "
    "replace forward mode AD.",
}


def _filled(gs: Several, like: Several, strict: bool, create_graph: bool, stage: str) -> Several:
    """Gradients with zeros where there are none; in strict mode RuntimeError instead."""
    filled = []
    for i, (g, x) in enumerate(zip(gs, like, strict=True)):
        if g is None:
            if strict:
                raise RuntimeError(MISSING[stage].format(i=i))
            g = _zeros(x)
        elif strict and create_graph and not g.requires_grad:
            what = "hessian" if "double" in stage else "jacobian"
            raise RuntimeError(
                f"The {what} of the user-provided function is independent of input {i}. This is not allowed in "
                "strict mode when create_graph=True."
            )
        filled.append(g)
    return tuple(filled)


def _result(found: Several, alone: bool, create_graph: bool) -> Any:
    """What is returned to the user, cut off the graph unless that is wanted."""
    kept = found if create_graph else tuple(each.detach() for each in found)
    return kept[0] if alone else kept
