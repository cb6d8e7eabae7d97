"""The tensor: an array, where in the graph it comes from, and PyTorch's methods.

Methods that are ops are added by `refgrad.public` from the catalogue.
"""

import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from refgrad.dtypes import Array, dtype, from_numpy_dtype
from refgrad.graph import AccumulateGrad, Extras, Node
from refgrad.printing import tensor_text


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


class LeafState:
    """What only leaves, and tensors that retain their gradient, need."""

    __slots__ = ("accumulator", "grad", "requires_grad", "retains")

    def __init__(self) -> None:
        self.requires_grad = False
        self.grad: Tensor | None = None
        self.retains = False
        self.accumulator: weakref.ref[AccumulateGrad] | None = None


class Tensor:
    """A NumPy array that knows how it was computed. Made by `refgrad.tensor` and by ops."""

    __slots__ = ("__weakref__", "_array", "_node", "_nr", "_state")
    __array_ufunc__ = None  # NumPy must not take a tensor for an array: its result would be cut off the graph

    def __init__(self, array: Array, node: Node | None = None, nr: int = 0) -> None:
        self._array = array
        self._node = node
        self._nr = nr
        self._state: LeafState | None = None

    __apply_op__: ClassVar[Callable[..., Any]]  # what an op does with tensors; set by `refgrad.record`

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

    def state(self) -> LeafState:
        """The leaf's state, made on first need."""
        if self._state is None:
            self._state = LeafState()
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

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory row by row."""
        return self._array.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Whether elements are floating-point numbers."""
        return self.dtype.is_floating_point

    def __repr__(self) -> str:
        return tensor_text(self)

    # Where it stands in the graph.

    @property
    def grad_fn(self) -> Node | None:
        """The node that made it; None for a leaf."""
        return self._node

    @property
    def output_nr(self) -> int:
        """Which output of its node it is."""
        return self._nr

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made it."""
        return self._node is None

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to it. Settable on leaves of floating dtype only."""
        return self._node is not None or (self._state is not None and self._state.requires_grad)

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self._node is not None:
            if wanted:
                return
            raise RuntimeError(
                "you can only change requires_grad flags of leaf variables. If you want to use a computed "
                "variable in a subgraph that doesn't require differentiation use "
                "var_no_grad = var.detach()."
            )
        if wanted and not self.is_floating_point():
            raise RuntimeError("only Tensors of floating point dtype can require gradients")
        if wanted or self._state is not None:
            self.state().requires_grad = wanted

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set `requires_grad` and return the same tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> "Tensor | None":
        """What backward passes have added up here. Settable to a tensor of the same shape and dtype, or None."""
        state = self._state
        if self._node is not None and not (state and state.retains):
            warnings.warn(NON_LEAF_GRAD, UserWarning, stacklevel=2)
        return None if state is None else state.grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            check_grad(self, value)
        self.state().grad = value

    @property
    def retains_grad(self) -> bool:
        """Whether a tensor that is no leaf keeps its gradient."""
        return self._node is not None and self._state is not None and self._state.retains

    def retain_grad(self) -> None:
        """Keep the gradient of this tensor, which is no leaf, in `.grad` too."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self._node is None:
            return
        self.state().retains = True
        extras = self._node.extras = self._node.extras or Extras()
        extras.retained = {**extras.retained, self._nr: weakref.ref(self)}

    def detach(self) -> "Tensor":
        """The same elements, cut off the graph."""
        return Tensor(self._array)

    @property
    def data(self) -> "Tensor":
        """The same elements, cut off the graph."""
        return Tensor(self._array)

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
        from refgrad import autograd  # the walk is written in ops, which are written for tensors

        autograd.backward(self, gradient, retain_graph, create_graph, inputs=inputs)

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

    def item(self) -> bool | int | float:
        """The one element as a Python number; RuntimeError if there is not exactly one."""
        if self._array.size != 1:
            raise RuntimeError(f"a Tensor with {self._array.size} elements cannot be converted to Scalar")
        return self._array.item() if self._array.dtype.kind in "biuf" else float(self._array.reshape(())[()])

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
        return (self[i] for i in range(len(self._array)))

    def __bool__(self) -> bool:
        if self._array.size != 1:
            what = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {what} is ambiguous")
        return bool(self._array.reshape(())[()])

    def _scalar(self) -> bool | int | float:
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return self.item()

    def __float__(self) -> float:
        return float(self._scalar())

    def __int__(self) -> int:
        return int(self._scalar())

    def __index__(self) -> int:
        if self._array.ndim or self._array.dtype.kind == "f":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array)

    def __hash__(self) -> int:
        return id(self)  # `==` compares elements, yet a tensor is a key by identity


NON_LEAF_GRAD = (
    "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't "
    "be populated during autograd.backward(). If you indeed want the .grad field to be populated for a "
    "non-leaf Tensor, use .retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by "
    "mistake, make sure you access the leaf Tensor instead. See github.com/pytorch/pytorch/pull/30531 for "
    "more informations."
)


def check_grad(holder: Tensor, value: object) -> None:
    """Raise as PyTorch does unless `value` may become the gradient of `holder`."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
        )
    if value is holder:
        raise RuntimeError("can't assign Variable as its own grad")
    if value.shape != holder.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
            f"'{list(holder.shape)}'. Please ensure that the gradient and the tensor are the same size"
        )
    if value.dtype is not holder.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{value.dtype.c_name}' to a tensor with grad_dtype "
            f"'{holder.dtype.word}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's "
            "dtype). You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any "
            "dtype. Set grad_dtype with caution. Diverging the dtypes of a tensor and its gradient may break "
            "downstream systems that assume they match."
        )


def normal_dim(dim: int, ndim: int) -> int:
    """`dim` counted from the front; IndexError if out of range. A 0-d tensor counts as having one."""
    span = max(ndim, 1)
    if not -span <= dim < span:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})"
        )
    return dim + span if dim < 0 else dim
