"""`backward` and `grad`: what is asked of the graph, checked and worded as PyTorch does it."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from refgrad.graph import AccumulateGrad, Edge, leaf_node
from refgrad.modes import set_grad_enabled
from refgrad.ops.shaping import to_copy
from refgrad.tensor import Tensor
from refgrad.walk import accumulate, run

CYCLE = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its "
    "gradient which can cause a memory leak. We recommend using autograd.grad when creating the graph to "
    "avoid this. If you have to use this function, make sure to reset the .grad fields of your parameters to "
    "None after use to break the cycle and avoid the leak."
)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *,
    inputs: Tensor | Sequence[Tensor] | Mapping[Any, Tensor] | None = None,
) -> None:
    """Add the gradient of `tensors` to the `.grad` of the leaves they were computed from.

    grad_tensors: a cotangent for each tensor, of its shape; None stands for 1 where there is one element.
    retain_graph: keep what the graph has saved for another pass; by default as `create_graph`.
    inputs: only these tensors, leaves or not, get a gradient.
    """
    wanted = None
    if inputs is not None:
        wanted = _several(inputs)
        if not wanted:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    outputs = _several(tensors)
    roots = _roots(outputs, grad_tensors, create_graph)
    if create_graph and roots:
        warnings.warn(CYCLE, UserWarning, stacklevel=3)
    keep = create_graph if retain_graph is None else retain_graph
    if wanted is None:
        run(roots, create_graph=create_graph, keep=keep)
        return
    edges = [_wanted_edge(t, "can't retain_grad on Tensor that has requires_grad=False") for t in wanted]
    caught = run(roots, create_graph=create_graph, keep=keep, wanted=edges)
    for leaf, edge in dict(zip(map(id, wanted), zip(wanted, edges, strict=True), strict=True)).values():
        if edge in caught:
            if leaf._node is not None:
                leaf.state().retains = True
            accumulate(leaf, caught[edge], create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor] | Mapping[Any, Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    *,
    allow_unused: bool | None = None,
    materialize_grads: bool = False,
) -> Any:
    """The gradients of the sum of `outputs` with respect to `inputs`; no `.grad` changes.

    Returns a tuple, or for a mapping of inputs a dict with the same keys. An input that was not used is an
    error, or None with `allow_unused`, or zeros with `materialize_grads`.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    wanted = _several(inputs)
    if not wanted:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    roots = _roots(_several(outputs), grad_outputs, create_graph)
    edges = [_wanted_edge(t, "One of the differentiated Tensors does not require grad") for t in wanted]
    keep = create_graph if retain_graph is None else retain_graph
    caught = run(roots, create_graph=create_graph, keep=keep, wanted=edges)
    found: list[Tensor | None] = []
    for position, (t, edge) in enumerate(zip(wanted, edges, strict=True)):
        g = caught.get(edge)
        if g is None and materialize_grads:
            g = np.zeros_like(t._array)
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"The differentiated Tensor at index {position} appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        found.append(Tensor(g) if isinstance(g, np.ndarray) else g)
    if isinstance(inputs, Mapping):
        return dict(zip(inputs, found, strict=True))
    return tuple(found)


def _several(given: Any) -> list[Any]:
    """One tensor, a sequence of them, or the values of a mapping, as a list."""
    if isinstance(given, Tensor):
        return [given]
    return list(given.values() if isinstance(given, Mapping) else given)


def _edge_of(t: Tensor) -> Edge | None:
    node = t.grad_fn or leaf_node(t)
    return None if node is None else (node, t.output_nr)


def _wanted_edge(t: object, refusal: str) -> Edge:
    if not isinstance(t, Tensor):
        raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(t).__name__}")
    edge = _edge_of(t)
    if edge is None and t.requires_grad:  # a view that leads nowhere: nothing arrives there
        edge = (AccumulateGrad(t), 0)
    if edge is None:
        raise RuntimeError(refusal)
    return edge


def _roots(outputs: Sequence[Tensor], given: Any, create_graph: bool) -> list[tuple[Edge, Any]]:
    """Each output's edge with its cotangent."""
    seeds = [None] * len(outputs) if given is None else _several(given)
    if len(seeds) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(seeds)} gradients")
    roots: list[tuple[Edge, Any]] = []
    for position, (out, seed) in enumerate(zip(outputs, seeds, strict=True)):
        if seed is None and out.requires_grad and out._array.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        if seed is not None and seed.shape != out.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{position}] has a shape of {seed.shape} and "
                f"output[{position}] has a shape of {out.shape}."
            )
        edge = _edge_of(out)
        if edge is None:
            raise RuntimeError(
                f"element {position} of tensors does not require grad and does not have a grad_fn"
            )
        seed = Tensor(np.ones_like(out._array)) if seed is None else seed
        if seed._array.dtype != out._array.dtype:
            with set_grad_enabled(create_graph):
                seed = to_copy(seed, dtype=out.dtype)
        roots.append((edge, seed if create_graph else seed._array))
    return roots
