"""`backward` and `grad`: what is asked of the graph, checked and worded as PyTorch does it."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from refgrad.dtypes import from_numpy_dtype
from refgrad.graph import AccumulateGrad, Edge, Node, edge_of
from refgrad.modes import mode, set_grad_enabled
from refgrad.ops.indexing import select
from refgrad.ops.pieces import stack
from refgrad.ops.shaping import to_copy
from refgrad.tensor import Size, Tensor
from refgrad.views import born
from refgrad.walk import run


class GradientEdge(NamedTuple):
    """Where a gradient is computed: a node and which of its outputs. Stands for a tensor in `backward` and `grad`.

    ownership_token: what keeps the graph alive where the node does not; here it does.
    """

    node: Node
    output_nr: int
    ownership_token: Node | None = None


Place = Tensor | GradientEdge

CYCLE = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its "
    "gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to "
    "avoid this. If you have to use this function, make sure to reset the .grad fields of your parameters to "
    "None after use to break the cycle and avoid the leak."
)


def backward(
    tensors: Place | Sequence[Place],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Tensor | Sequence[Tensor | None] | None = None,
    inputs: Place | Sequence[Place] | dict[Any, Tensor] | None = None,
) -> None:
    """Add the gradient of `tensors` to the `.grad` of the leaves they were computed from.

    grad_tensors: a cotangent for each tensor, of its shape; None stands for 1 where there is one element.
    retain_graph: keep what the graph has saved for another pass; by default as `create_graph`.
    grad_variables: PyTorch's old name for `grad_tensors`.
    inputs: only these tensors, leaves or not, get a gradient.
    """
    if grad_variables is not None:
        warnings.warn(
            "`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2
        )
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please "
                "only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    wanted = None if inputs is None else _wanted(inputs, "backward")
    roots = _roots(_several(tensors), grad_tensors, create_graph, batched=False)
    if create_graph and roots:
        warnings.warn(CYCLE, UserWarning, stacklevel=3)
    keep = create_graph if retain_graph is None else bool(retain_graph)
    edges = None if wanted is None else [_retained_edge(place) for place in wanted]
    run(roots, create_graph=bool(create_graph), keep=keep, wanted=edges, capture=False)


def grad(
    outputs: Place | Sequence[Place],
    inputs: Place | Sequence[Place] | dict[Any, Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> Any:
    """The gradients of the sum of `outputs` with respect to `inputs`; no `.grad` changes.

    is_grads_batched: take `grad_outputs` row by row, and stack the gradients.
    only_inputs: deprecated and without effect.
    Returns a tuple, or for a dict of inputs a dict with the same keys. An input that was not used is an
    error, or None with `allow_unused`, or zeros with `materialize_grads`.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    wanted = _wanted(inputs, "grad")
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for "
            "other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    level = mode.level  # tangents follow tensors, not arrays
    recorded = bool(create_graph) or level is not None
    passes = _roots_by_row(_several(outputs), grad_outputs, recorded, is_grads_batched)
    edges = [_edge(place) for place in wanted]
    keep = create_graph if retain_graph is None else bool(retain_graph)
    found: list[tuple[Any, ...]] = []
    for nr, roots in enumerate(passes, start=1):
        again = keep or nr < len(passes)
        caught = run(roots, create_graph=recorded, keep=again, wanted=edges)
        if level is not None and not create_graph:
            caught = {edge: None if g is None else level.cut_off(g) for edge, g in caught.items()}
        found.append(tuple(caught.get(edge) for edge in edges))
        if not allow_unused and not materialize_grads:
            _check_used(found[-1])
    grads = _tensors(edges, found[0]) if not is_grads_batched else _stacked(found, recorded)
    if materialize_grads:
        grads = tuple(_zeros(place) if g is None else g for place, g in zip(wanted, grads, strict=True))
    return dict(zip(inputs, grads, strict=True)) if type(inputs) is dict else grads


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient with respect to `tensor` is computed; RuntimeError if it does not require grad."""
    edge = edge_of(tensor)
    if edge is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require gradients"
        )
    return GradientEdge(*edge)


def _several(given: Any) -> list[Any]:
    """One tensor or edge, or a sequence of them, as a list."""
    return [given] if isinstance(given, Tensor | GradientEdge) else list(given)


def _wanted(inputs: Any, function: str) -> list[Any]:
    """The inputs as a list; TypeError for a mapping that is no dict, RuntimeError if there are none."""
    if type(inputs) is dict:
        inputs = list(inputs.values())
    elif isinstance(inputs, Mapping):
        raise TypeError(
            f"`inputs` argument to `{function}()` must be a dict, not {type(inputs).__name__}. Other Mapping types "
            "are not supported."
        )
    wanted = _several(inputs)
    if not wanted:
        raise RuntimeError(f"`inputs` argument to `{function}()` cannot be empty.")
    return wanted


def _edge(place: object) -> Edge:
    """Where the gradient with respect to a tensor or edge is computed; RuntimeError if nowhere."""
    if isinstance(place, GradientEdge):
        return place[:2]
    if not isinstance(place, Tensor):
        raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(place).__name__}")
    edge = edge_of(place)
    if edge is None and place.requires_grad:  # a view that leads nowhere: nothing arrives there
        edge = (AccumulateGrad(place), 0)
    if edge is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return edge


def _retained_edge(place: object) -> Edge:
    """The same for a tensor that is to keep its gradient, leaf or not."""
    if isinstance(place, Tensor):
        place.retain_grad()
    return _edge(place)


Known = tuple[Edge | None, tuple[int, ...], np.dtype[Any]]
"""Where the gradient with respect to an output is computed, if anywhere, and the output's shape and dtype."""


def _known(out: object) -> Known:
    """What is known of an output; AssertionError for anything but a tensor or an edge."""
    if isinstance(out, Tensor):
        return edge_of(out), out._array.shape, out._array.dtype
    if isinstance(out, GradientEdge):
        return (out[:2], *out.node.metas[out.output_nr])
    raise AssertionError("Expected output to be a torch.Tensor")


def _seeds(count: int, given: Any) -> list[Any]:
    """A cotangent, or None, for each of `count` outputs, as far as they go."""
    return [None] * count if given is None else _several(given)


def _roots_by_row(
    outputs: list[Any], given: Any, create_graph: bool, batched: bool
) -> list[list[tuple[Edge, Any]]]:
    """The roots of each pass: one, or one for each row of the cotangents."""
    if not batched:
        return [_roots(outputs, given, create_graph, batched=False)]
    seeds = _seeds(len(outputs), given)
    _roots(outputs, seeds, create_graph, batched=True)
    for seed in seeds:
        if seed is None:
            raise ValueError(
                "vmap(vjp, in_dims=0, ...)(<inputs>): Got in_dim=0 for some input, but that input is a Tensor of "
                "dimensionality 0 so expected in_dim to satisfy 0 <= in_dim < 0."
            )
    sizes = [len(seed) for seed in seeds]
    if len(set(sizes)) > 1:
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    rows: list[list[Any]] = []
    with set_grad_enabled(create_graph):
        for row in range(sizes[0]):
            rows.append([select(seed, dim=0, index=row) for seed in seeds])
    return [_roots(outputs, row, create_graph, batched=False) for row in rows]


def _roots(outputs: list[Any], given: Any, create_graph: bool, *, batched: bool) -> list[tuple[Edge, Any]]:
    """Each output's edge with its cotangent; if they are batched, they are checked and no more."""
    made: list[tuple[Edge | None, Any]] = []
    for position, (out, seed) in enumerate(zip(outputs, _seeds(len(outputs), given), strict=False)):
        edge, shape, stored = _known(out)
        if seed is None:
            made.append((edge, None if edge is None else _one(shape, stored, create_graph)))
            continue
        if not isinstance(seed, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(seed).__name__}")
        _check_shape(shape, seed, position, batched)
        if (stored.kind == "c") is not (seed._array.dtype.kind == "c"):
            raise RuntimeError(
                "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in "
                f"dtype: grad_output[{position}] has a dtype of {seed.dtype} and output[{position}] has a dtype of "
                f"{from_numpy_dtype(stored)}."
            )
        made.append((edge, None if batched else _cast(seed, stored, create_graph)))
    if len(made) < len(outputs):  # more than there are outputs are ignored, as in PyTorch
        raise RuntimeError(f"got {len(outputs)} tensors and {len(made)} gradients")
    roots: list[tuple[Edge, Any]] = []
    for position, (edge, seed) in enumerate(made):
        if edge is None:
            raise RuntimeError(
                f"element {position} of tensors does not require grad and does not have a grad_fn"
            )
        roots.append((edge, seed))
    return roots


def _check_shape(wanted: tuple[int, ...], seed: Tensor, position: int, batched: bool) -> None:
    """Raise as PyTorch does unless the cotangent, or each of its rows, has the output's shape."""
    if batched and not seed._array.ndim:
        raise IndexError(
            "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert "
            "a 0-dim tensor to a number"
        )
    if batched and not len(seed._array):
        raise IndexError("index 0 is out of bounds for dimension 0 with size 0")
    shape = seed._array.shape[1:] if batched else seed._array.shape
    if shape == wanted:
        return
    if not batched:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{position}] has a shape of {Size(shape)} and "
            f"output[{position}] has a shape of {Size(wanted)}."
        )
    raise RuntimeError(
        "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. "
        "The sizes of the remaining dimensions are expected to match the shape of corresponding output, but a "
        f"mismatch was detected: grad_output[{position}] has a shape of {Size(shape)} and output[{position}] has a "
        f"shape of {Size(wanted)}. If you only want some tensors in `grad_output` to be considered batched, "
        "consider using vmap."
    )


def _one(shape: tuple[int, ...], stored: np.dtype[Any], create_graph: bool) -> Any:
    """The cotangent of an output of one element, as the walk takes it; RuntimeError for another."""
    if any(size != 1 for size in shape):
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    if stored.kind == "c":
        kind = from_numpy_dtype(stored)
        raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {kind}")
    seed = np.empty(shape, stored)
    seed.fill(1)
    return Tensor(seed) if create_graph else seed


def _cast(seed: Tensor, stored: np.dtype[Any], create_graph: bool) -> Any:
    """A cotangent in the dtype of its output, as the walk takes it."""
    if seed._array.dtype != stored:
        with set_grad_enabled(create_graph):
            seed = to_copy(seed, dtype=from_numpy_dtype(stored))
    return seed if create_graph else seed._array


def _check_used(caught: Sequence[Any]) -> None:
    """Raise RuntimeError unless every input has got a gradient."""
    for position, g in enumerate(caught):
        if g is None:
            raise RuntimeError(
                f"The differentiated Tensor at index {position} appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )


def _tensors(edges: Sequence[Edge], caught: Sequence[Any]) -> tuple[Tensor | None, ...]:
    """What was caught at each edge, as tensors: one for all inputs of one edge."""
    made = {edge: _tensor(g) for edge, g in zip(edges, caught, strict=True)}
    return tuple(made[edge] for edge in edges)


def _tensor(g: Any) -> Tensor | None:
    """What was caught, as a tensor."""
    return born(Tensor(g)) if isinstance(g, np.ndarray) else g


def _stacked(found: Sequence[Sequence[Any]], create_graph: bool) -> tuple[Tensor | None, ...]:
    """What was caught in the passes, for each input as one tensor."""
    with set_grad_enabled(bool(create_graph)):
        return tuple(
            None if column[0] is None else stack(*map(_tensor, column), dim=0)
            for column in zip(*found, strict=True)
        )


def _zeros(place: Place) -> Tensor:
    """Zeros for an input that was not used; RuntimeError for an edge."""
    if not isinstance(place, Tensor):
        raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
    return Tensor(np.zeros_like(place._array))
