"""The tensor: an array, where in the graph it comes from, and PyTorch's methods.

Methods that are ops are added by `refgrad.public` from the catalogue.
"""

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from refgrad.dtypes import Array, Number, dtype, from_numpy_dtype, is_continuous
from refgrad.graph import AccumulateGrad, Node
from refgrad.handles import Hooks
from refgrad.modes import mode
from refgrad.printing import tensor_text
from refgrad.versions import Version, count_of


class Size(tuple[int, ...]):
    """A shape; prints as `torch.Size([2, 3])`, as PyTorch prints it."""

    __slots__ = ()

    def numel(self) -> int:
        """The number of elements."""
        count = 1
        for size in self:
            count *= size
        return count

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __getitem__(self, place: Any) -> Any:
        found = tuple.__getitem__(self, place)
        return Size(found) if type(found) is tuple else found

    def __add__(self, other: Any) -> Any:
        if not isinstance(other, tuple):
            raise TypeError(f"can only concatenate tuple (not {type(other).__name__}) to torch.Size")
        return Size((*self, *other))

    def __radd__(self, other: Any) -> Any:
        return Size((*other, *self)) if isinstance(other, tuple) else NotImplemented

    def __mul__(self, times: Any) -> Any:
        return Size(tuple(self) * times)

    __rmul__ = __mul__


class View:
    """How a tensor came to share the elements of another.

    base: the tensor at the root, which is no view.
    creation: what forbids to write to the view, one of the words of `refgrad.views`; "" if nothing does.
    seen: the version of the elements when the view's node was made.
    nr: which output of its node it is, where `Tensor._nr` is `ASIDE`.
    """

    __slots__ = ("base", "creation", "nr", "seen")

    def __init__(self, base: "Tensor", creation: str, seen: int, nr: int) -> None:
        self.base = base
        self.creation = creation
        self.seen = seen
        self.nr = nr


class State:
    """What few tensors need: leaves, those that retain their gradient, those that are written to, and views.

    hooks, accumulated: what is called with the gradient, and after it was accumulated; see `refgrad.hooks`.
    grad_dtype: the NumPy dtype that gradients are cast to; None for none, `OWN_DTYPE` for the tensor's.
    detached: the number of the time at which `detach_` cut it off the graph.
    tangent: what `refgrad.forward_ad` keeps here while a dual level is open.
    """

    __slots__ = (
        "accumulated",
        "accumulator",
        "detached",
        "grad",
        "grad_dtype",
        "hooks",
        "inference",
        "requires_grad",
        "retains",
        "tangent",
        "version",
        "view",
    )

    def __init__(self) -> None:
        self.requires_grad = False
        self.grad: Tensor | None = None
        self.retains = False
        self.accumulator: weakref.ref[AccumulateGrad] | None = None
        self.hooks: Hooks | None = None
        self.accumulated: Hooks | None = None
        self.version: Version | None = None
        self.view: View | None = None
        self.inference = False
        self.detached = -1
        self.tangent: Any = None
        self.grad_dtype: Any = OWN_DTYPE

    def stored(self, own: np.dtype[Any]) -> Any:
        """The NumPy dtype that gradients are cast to, for a tensor of dtype `own`; None for none."""
        return own if self.grad_dtype is OWN_DTYPE else self.grad_dtype


OWN_DTYPE: Final = np.dtype(np.void)
"""The dtype of a gradient, where that is to be its holder's."""
ASIDE: Final = -1
"""In place of an output number: the short ways of applying ops are closed to this tensor, an inference tensor or a view
whose node may have to be made anew or refused."""


class Tensor:
    """A NumPy array that knows how it was computed. Made by `refgrad.tensor` and by ops."""

    __slots__ = ("__weakref__", "_array", "_node", "_nr", "_state")
    __array_ufunc__ = None  # NumPy must not take a tensor for an array: its result would be cut off the graph

    def __init__(self, array: Array, node: Node | None = None, nr: int = 0) -> None:
        self._array = array
        self._node = node
        self._nr = nr
        self._state: State | None = None

    __apply_op__: ClassVar[Callable[..., Any]]  # what an op does with tensors; set by `refgrad.record`
    _settle: ClassVar[
        Callable[["Tensor"], None]
    ]  # brings the node of a view up to date; these two by `refgrad.views`
    _written: ClassVar[Callable[["Tensor"], None]]

    if TYPE_CHECKING:  # what `refgrad.operators` and the catalogue add

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __rpow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...

    def state(self) -> State:
        """Its state, made on first need."""
        if self._state is None:
            self._state = State()
        return self._state

    # What a tensor is.

    @property
    def dtype(self) -> dtype:
        """The element type."""
        return from_numpy_dtype(self._array.dtype)

    @property
    def shape(self) -> Size:
        """The size of each dimension."""
        return Size(self._array.shape)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of the dimension `dim`; IndexError if there is none such."""
        return self.shape if dim is None else self._array.shape[normal_dim(dim, self._array.ndim)]

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    def stride(self, dim: int | None = None) -> Any:
        """The steps between neighbours along each dimension, or along `dim`, in elements."""
        steps = tuple(step // self._array.itemsize for step in self._array.strides)
        return steps if dim is None else steps[normal_dim(dim, len(steps))]

    def data_ptr(self) -> int:
        """The address of the first element."""
        address: int = self._array.__array_interface__["data"][0]
        return address

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory row by row."""
        return self._array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Whether elements are floating-point numbers."""
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        """Whether elements are complex numbers."""
        return self._array.dtype.kind == "c"

    def __repr__(self) -> str:
        return tensor_text(self)

    # Where it stands in the graph.

    @property
    def grad_fn(self) -> Node | None:
        """The node that made it; None for a leaf. RuntimeError for a view that a write has made invalid."""
        if self._nr < 0:
            self._settle()
        return self._node

    @property
    def output_nr(self) -> int:
        """Which output of its node it is."""
        if self._nr >= 0:
            return self._nr
        view = self._state.view if self._state is not None else None
        return 0 if view is None else view.nr

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return self.grad_fn is None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it, as they do to views of what they flow to.

        Settable on leaves of floating or complex dtype only.
        """
        if self._node is not None:
            return True
        state = self._state
        return state is not None and (
            state.requires_grad or (state.view is not None and state.view.base.requires_grad)
        )

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if wanted and self._node is not None:
            return
        if self._node is not None:
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed "
                "variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        if wanted and not is_continuous(self._array.dtype):
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        state = self._state
        if wanted and state is not None and state.inference and not mode.inference:
            raise RuntimeError(
                "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed."
            )
        if wanted or state is not None:
            state = self.state()
            state.requires_grad = wanted
            if state.version is not None and state.version.views:
                self._written()  # views of what requires grad require it too

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set `requires_grad` and return the same tensor."""
        self.requires_grad = requires_grad
        return self

    def is_inference(self) -> bool:
        """Whether it was made in inference mode."""
        return self._state is not None and self._state.inference

    @property
    def _version(self) -> int:
        """How often its elements were written to in place; RuntimeError for an inference tensor."""
        return count_of(self)

    def backward(
        self,
        gradient: "Tensor | None" = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add this tensor's gradient to the `.grad` of the leaves it was computed from.

        gradient: the cotangent, of this tensor's shape; may be left out for a tensor of one element.
        Raises RuntimeError if the tensor does not require grad, or its graph has been freed.
        """
        from refgrad.backward import backward  # the walk is written in ops, which are written for tensors

        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    # Out to Python and NumPy.

    def numpy(self) -> Array:
        """The array itself, which shares memory; RuntimeError if the tensor requires grad."""
        if self.requires_grad:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
            )
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def item(self) -> Number:
        """The one element as a Python number; RuntimeError if there is not exactly one."""
        if self._array.size != 1:
            raise RuntimeError(f"a Tensor with {self._array.size} elements cannot be converted to Scalar")
        return self._array.item() if self._array.dtype.kind in "biufc" else float(self._array.reshape(())[()])

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers, or one number."""
        return self._array.tolist()

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator["Tensor"]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind(0))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            what = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
        return bool(self._array.reshape(())[()])

    def _scalar(self) -> Number:
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __float__(self) -> float:
        return float(_real_number(self._scalar(), "double"))

    def __int__(self) -> int:
        return int(_real_number(self._scalar(), "int64_t"))

    def __complex__(self) -> complex:
        return complex(self._scalar())

    def __index__(self) -> int:
        if self._array.ndim or self._array.dtype.kind in "fc":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array)

    def __hash__(self) -> int:
        return id(self)  # `==` compares elements, yet a tensor is a key by identity


def _real_number(value: Number, wanted: str) -> bool | int | float:
    """A number that is real; RuntimeError, in PyTorch's words, for one that is not."""
    if not isinstance(value, complex):
        return value
    if value.imag:
        raise RuntimeError(f"value cannot be converted to type {wanted} without overflow")
    return value.real


def normal_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError if out of range. A 0-d tensor counts as having one."""
    span = max(ndim, 1)
    if not -span <= dim < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})"
        )
    return dim + span if dim < 0 else dim
