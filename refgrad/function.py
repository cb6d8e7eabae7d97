"""Custom Functions: a forward and a backward of the user's own as one node of the graph."""

import functools
import inspect
import warnings
import weakref
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from refgrad.customctx import BackwardCFunction, FunctionCtx
from refgrad.customjvp import attach, output_tangents
from refgrad.customnode import Error, FunctionNode, Kept
from refgrad.customsaved import PackedTensor
from refgrad.customsaved import kept as keep
from refgrad.dtypes import is_continuous
from refgrad.forward_ad import suspended
from refgrad.graph import edge_of
from refgrad.inplace import rebase
from refgrad.modes import is_grad_enabled, mode, no_grad
from refgrad.tensor import Tensor
from refgrad.versions import version_of
from refgrad.views import CUSTOM, SEVERAL, set_edge, written
from refgrad.views import attach as attach_view

__all__ = ["BackwardCFunction", "Function", "FunctionCtx", "once_differentiable"]


class Function:
    """Derive from it, define `forward` and `backward` as static methods, and call `apply`.

    forward(ctx, *args), or forward(*args) with setup_context(ctx, inputs, output), runs without recording.
    backward(ctx, *grad_outputs), or `vjp`, gets a gradient for each output and returns one for each argument.
    jvp(ctx, *tangents) gets a tangent for each argument and returns one for each output.
    """

    clear_saved_tensors_on_access: ClassVar[bool] = False
    boxed_grads_call: ClassVar[bool] = False
    _backward_cls: ClassVar[type[BackwardCFunction]]
    _node_cls: ClassVar[type[FunctionNode]]

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        _equip(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        warnings.warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all static, so you "
            "should invoke them on the class itself. Instantiating an autograd function will raise an error in "
            "a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Not the way to use it: raises RuntimeError."""
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style "
            "autograd function with static forward method. (Example: "
            "https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """To be defined: the value."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """To be defined where `forward` takes no `ctx`: what to save."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """To be defined: the gradients of the arguments."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it "
            "with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """To be defined for forward-mode AD: the tangents of the outputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with forward mode AD."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, and record one node if an argument requires grad."""
        apart = cls.setup_context is not Function.setup_context
        if apart:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()  # `setup_context` sees all of them
            args, kwargs = bound.args, bound.kwargs
        args += _placed(cls.forward, len(args) + (not apart), kwargs)
        ctx = cls._backward_cls(tuple(isinstance(x, Tensor) and x.requires_grad for x in args))
        with no_grad(), suspended():
            if apart:
                output = cls.forward(*args)
                cls.setup_context(ctx, args, output)
            else:
                output = cls.forward(ctx, *args)
        outputs = output if isinstance(output, tuple) else (output,)
        level = mode.level
        tangents = () if level is None else output_tangents(ctx, level, args, outputs)
        wrapped = _wrapped(ctx, args, outputs)
        if level is not None:
            attach(level, wrapped, tangents)
        return tuple(wrapped) if isinstance(output, tuple) else wrapped[0]


def run_backward(ctx: BackwardCFunction, gs: Sequence[Any]) -> Any:
    """What a Function's `backward`, or `vjp`, returns for the cotangents of its outputs."""
    made = ctx._forward_cls
    if made.backward is not Function.backward and made.vjp is not Function.vjp:
        raise RuntimeError(
            "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only "
            "implement one of them."
        )
    chosen: Callable[..., Any] = made.vjp if made.vjp is not Function.vjp else made.backward
    return chosen(ctx, list(gs)) if made.boxed_grads_call else chosen(ctx, *gs)


def _equip(cls: type[Function]) -> None:
    """Give a Function the classes of its `ctx` and of its node, both named as PyTorch names the node."""
    name = f"{cls.__name__}Backward"
    cls._backward_cls = type(name, (BackwardCFunction,), {"_forward_cls": cls})
    cls._node_cls = type(name, (FunctionNode,), {"__slots__": (), "run": staticmethod(run_backward)})


_equip(Function)


def _placed(forward: Callable[..., Any], first: int, kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Arguments given by name in their places after the `first`; TypeError, in PyTorch's words, if they have none."""
    if not kwargs:
        return ()
    places = [p.name for p in inspect.signature(forward).parameters.values() if p.kind in POSITIONAL]
    for name in kwargs:
        if name not in places[first:]:
            raise TypeError(f"forward() got an unexpected keyword argument '{name}'")
    count = max(places.index(name) for name in kwargs) + 1
    for position, name in enumerate(places[first:count], first - 1):  # `ctx` does not count
        if name not in kwargs:
            raise TypeError(f"forward() missing required argument: '{name}' (position {position})")
    return tuple(kwargs[name] for name in places[first:count])


POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def _wrapped(ctx: BackwardCFunction, args: Sequence[Any], outputs: Sequence[Any]) -> list[Any]:
    """The outputs as the caller gets them, part of the graph where they are to be."""
    dirty = _marked(ctx.dirty_tensors, "mark_dirty can only accept variables, but argument ")
    plain = _marked(
        ctx.non_differentiable, "mark_non_differentiable only accepts variable arguments, but got "
    )
    inputs = {id(x) for x in args if isinstance(x, Tensor)}
    if not dirty <= {id(y) for y in outputs}:
        raise RuntimeError(
            "Some elements marked as dirty during the forward method were not returned as output. The inputs "
            "that are modified inplace must all be outputs of the Function."
        )
    node = _node(ctx, args) if mode.enabled and any(ctx.needs_input_grad) else None
    wrapped: list[Any] = []
    several = sum(isinstance(y, Tensor) for y in outputs) > 1
    for nr, y in enumerate(outputs):
        if id(y) in dirty and id(y) in inputs:
            _check_dirty(y, several=several, recorded=node is not None)
        if not isinstance(y, Tensor):
            wrapped.append(y)
        elif node is None or id(y) in plain or not is_continuous(y._array.dtype):
            wrapped.append(_cut_off(y, given=id(y) in inputs, dirty=id(y) in dirty))
        else:
            wrapped.append(_attached(y, node, nr, given=id(y) in inputs, dirty=id(y) in dirty))
    _forbid_writing(wrapped, dirty, node)
    if node is not None:
        node.answer_for(wrapped)
        ctx._kept = _kept(ctx, node)
        ctx._node = weakref.ref(node)
    ctx.to_save = ctx.saved_for_forward = ctx.dirty_tensors = ctx.non_differentiable = None
    return wrapped


def _marked(tensors: tuple[Any, ...] | None, refusal: str) -> set[int]:
    """The identities of the tensors marked; RuntimeError if one is no tensor."""
    if not all(isinstance(t, Tensor) for t in tensors or ()):
        raise RuntimeError(refusal)
    return {id(t) for t in tensors or ()}


def _node(ctx: BackwardCFunction, args: Sequence[Any]) -> FunctionNode:
    """The node of this application, which leads to what made its arguments."""
    places = [i for i, x in enumerate(args) if isinstance(x, Tensor)]
    node = ctx._forward_cls._node_cls(ctx, len(args), places)
    node.lead_to([edge_of(args[i]) for i in places])
    return node


def _cut_off(y: Tensor, *, given: bool, dirty: bool) -> Tensor:
    """An output that is not part of the graph: another tensor for an input, unless it is dirty and requires no grad."""
    if given and (y.requires_grad or not dirty):
        made: Tensor = y.detach()
        return made
    if y.requires_grad:
        y._node, y._nr = None, 0
        y.requires_grad = False
    return y


def _attached(y: Tensor, node: FunctionNode, nr: int, *, given: bool, dirty: bool) -> Tensor:
    """An output that `node` made: the same object, unless it is an input that was not modified."""
    if dirty and not given:
        warnings.warn(
            "ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been "
            "mutated should be passed to ctx.mark_dirty().",
            UserWarning,
            stacklevel=4,
        )
    if given and not dirty:
        made = Tensor(y._array, node, nr)
        attach_view(made, y)
        return made
    if given:
        rebase(y, node, nr)
        written(y)
    else:
        set_edge(y, node, nr)
    return y


def _check_dirty(y: Tensor, *, several: bool, recorded: bool) -> None:
    """Count the write to an input that was marked; RuntimeError where it may not be written to."""
    view = y.state().view
    if recorded and view is None and y.is_leaf and y.requires_grad:
        raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
    if recorded and view is not None and several:
        raise RuntimeError(
            "If your Function modifies inplace an input that is a view of another Tensor, your Function cannot "
            "return more than one Tensor. This is not supported by the current autograd engine. You should either "
            "make sure the input is not a view (using .clone() for example) or make your Function only return one "
            "Tensor (potentially splitting it into two Functions: one doing the inplace that returns a single "
            "Tensor and a second one that does the other operations). You can ask on the forum "
            "https://discuss.pytorch.org/ if you need help to do this change."
        )
    if not y.is_inference():
        version_of(y).write()


def _forbid_writing(wrapped: Sequence[Any], dirty: set[int], node: FunctionNode | None) -> None:
    """Views that a Function returns may not be written to: the write would go around its backward."""
    made = [y for y in wrapped if isinstance(y, Tensor) and y._node is node and node is not None]
    for y in made:
        view = None if y._state is None or id(y) in dirty else y._state.view
        if view is not None:
            view.creation = SEVERAL if len(made) > 1 else CUSTOM
            view.seen = version_of(y).count


def _kept(ctx: BackwardCFunction, node: FunctionNode) -> tuple[Kept | PackedTensor | None, ...]:
    """What `forward` saved; TypeError where that is neither tensor nor None."""
    kept: list[Kept | PackedTensor | None] = []
    for position, t in enumerate(ctx.to_save or ()):
        if t is not None and not isinstance(t, Tensor):
            raise TypeError(
                f"save_for_backward can only save variables, but argument {position} is of type "
                f"{type(t).__name__}"
            )
        kept.append(None if t is None else keep(t, node))
    return tuple(kept)


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a `backward` that is not itself to be differentiated: it runs without recording.

    Differentiating what it returns raises RuntimeError, if a gradient that it was given required grad.
    """

    @functools.wraps(function)
    def once(ctx: Any, *gs: Any) -> Any:
        with no_grad():
            answer = function(ctx, *gs)
        if not is_grad_enabled() or not any(isinstance(g, Tensor) and g.requires_grad for g in gs):
            return answer
        answers = answer if isinstance(answer, tuple) else (answer,)
        node = Error(ONCE, answers)
        final = [Tensor(t._array, node, nr) if isinstance(t, Tensor) else t for nr, t in enumerate(answers)]
        return tuple(final) if isinstance(answer, tuple) else final[0]

    return once


ONCE = "trying to differentiate twice a function that was marked with @once_differentiable"
