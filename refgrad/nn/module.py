"""Modules: parameters, buffers and other modules under names, and a function of them."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from refgrad.modes import no_grad
from refgrad.nn.parameter import Parameter
from refgrad.tensor import Tensor

KINDS = ("_parameters", "_buffers", "_modules")


class Unmatched(NamedTuple):
    """What `load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"_IncompatibleKeys(missing_keys={self[0]!r}, unexpected_keys={self[1]!r})"


class Module:
    """The base of all modules. A subclass makes its parts in `__init__`, after `super().__init__()`, and has `forward`.

    training: whether it is being trained, which `train` and `eval` say.
    """

    _parameters: dict[str, Tensor | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, "Module | None"]
    training: bool

    def __init__(self) -> None:
        for kind in KINDS:
            object.__setattr__(self, kind, {})
        object.__setattr__(self, "training", True)

    def forward(self, *inputs: Any) -> Any:
        """What the module computes; subclasses say. NotImplementedError here."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        """What `forward` returns."""
        return self.forward(*inputs, **settings)

    # Its parts.

    def __setattr__(self, name: str, value: Any) -> None:
        kind = (
            "_parameters" if isinstance(value, Parameter) else "_modules" if isinstance(value, Module) else ""
        )
        if kind:
            if "_modules" not in self.__dict__:
                what = "parameters" if kind == "_parameters" else "module"
                raise AttributeError(f"cannot assign {what} before Module.__init__() call")
            for home in (self.__dict__, *(self.__dict__[k] for k in KINDS if k != kind)):
                home.pop(name, None)
            self.__dict__[kind][name] = value
            return
        for kind, wanted in (("_parameters", "torch.nn.Parameter"), ("_modules", "torch.nn.Module")):
            held = self.__dict__.get(kind, {})
            if name in held:
                if value is not None:
                    raise TypeError(
                        f"cannot assign '{_type_name(value)}' as {_KIND_NAMES[kind]} '{name}' ({wanted} or None "
                        "expected)"
                    )
                held[name] = None
                return
        buffers = self.__dict__.get("_buffers", {})
        if name in buffers:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as buffer '{name}' (torch.nn.Buffer, torch.Tensor or None "
                    "expected)"
                )
            buffers[name] = value
            return
        object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        for kind in KINDS:
            held = self.__dict__.get(kind, {})
            if name in held:
                return held[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for kind in KINDS:
            if name in self.__dict__[kind]:
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)

    def register_parameter(self, name: str, param: Tensor | None) -> None:
        """Hold a parameter, or the absence of one, under a name; TypeError for another tensor."""
        self._check_name(name, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_type_name(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None) -> None:
        """Hold under a name a tensor that is no parameter but belongs to the state."""
        self._check_name(name, "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' (torch Tensor or None required)"
            )
        self._buffers[name] = tensor

    def add_module(self, name: str, module: "Module | None") -> None:
        """Hold another module under a name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{_type_name(module)} is not a Module subclass")
        self._check_name(name, "module")
        self._modules[name] = module

    def _check_name(self, name: str, kind: str) -> None:
        if "_parameters" not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_type_name(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}' if kind == "module" else
                           f'{kind} name can\'t contain "."')  # fmt: skip
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[f"_{kind}s"]:
            raise KeyError(f"attribute '{name}' already exists")

    # What it consists of, all the way down; what stands twice is named once.

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Itself and every module below, each with its path."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            below = [(_join(path, name), each) for name, each in module._modules.items() if each is not None]
            stack.extend(reversed(below))

    def modules(self) -> Iterator["Module"]:
        """Itself and every module below."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules right below, by name."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator["Module"]:
        """The modules right below."""
        return (module for _, module in self.named_children())

    def _named(self, kind: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Tensor]]:
        seen: set[int] = set()
        homes = self.named_modules(prefix) if recurse else iter([(prefix, self)])
        for path, module in homes:
            for name, tensor in module.__dict__[kind].items():
                if tensor is not None and id(tensor) not in seen:
                    seen.add(id(tensor))
                    yield _join(path, name), tensor

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every parameter with its path."""
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every parameter."""
        return (tensor for _, tensor in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Every buffer with its path."""
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Every buffer."""
        return (tensor for _, tensor in self.named_buffers(recurse=recurse))

    # Its state.

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> "OrderedDict[str, Tensor]":
        """Every parameter and buffer by its path: detached, in the same memory, unless `keep_vars`."""
        found: OrderedDict[str, Tensor] = OrderedDict()
        for path, module in self._paths(prefix):
            for name, tensor in {**module._parameters, **module._buffers}.items():
                if tensor is not None:
                    found[_join(path, name)] = tensor if keep_vars else tensor.detach()
        return found

    def _paths(self, prefix: str) -> Iterator[tuple[str, "Module"]]:
        """Itself and every module below, as often as it stands somewhere."""
        yield prefix.removesuffix("."), self
        for name, module in self._modules.items():
            if module is not None:
                yield from module._paths(f"{_join(prefix.removesuffix('.'), name)}.")

    def load_state_dict(self, state_dict: Mapping[str, Tensor], strict: bool = True) -> Unmatched:
        """Copy the state into the parameters and buffers of the same paths.

        Raises RuntimeError for other shapes and, if `strict`, for paths that are missing or that nothing has.
        """
        own = self.state_dict(keep_vars=True)
        missing = [path for path in own if path not in state_dict]
        unexpected = [path for path in state_dict if path not in own]
        wrong = []
        if strict and missing:
            wrong.append(f"Missing key(s) in state_dict: {_quoted(missing)}. ")
        if strict and unexpected:
            wrong.append(f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
        for path, tensor in own.items():
            given = state_dict.get(path)
            if given is None:
                continue
            if given.shape != tensor.shape:
                wrong.append(
                    f"size mismatch for {path}: copying a param with shape {given.shape} from checkpoint, the shape in "
                    f"current model is {tensor.shape}."
                )
                continue
            with no_grad():
                tensor.copy_(given)
        if wrong:
            listed = "\n\t".join(wrong)
            raise RuntimeError(f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}")
        return Unmatched(missing, unexpected)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradient of every parameter, or with `set_to_none=False` make it zeros, in place."""
        clear_gradients(self.parameters(), set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Say of every parameter whether it requires grad."""
        for tensor in self.parameters():
            tensor.requires_grad_(requires_grad)
        return self

    def train(self, mode: bool = True) -> Self:
        """Say of it and all below whether they are being trained."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        for module in self.modules():
            object.__setattr__(module, "training", mode)
        return self

    def eval(self) -> Self:
        """No longer in training."""
        return self.train(False)

    def apply(self, fn: "Callable[[Module], Any]") -> Self:
        """Call `fn` with every module below, and last with itself."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(self, *wanted: Any, **settings: Any) -> Self:
        """Its floating parameters and buffers in another dtype, as `Tensor.to`; they stay the same tensors."""
        for tensor in (*self.parameters(), *self.buffers()):
            if tensor.is_floating_point():
                convert(tensor, tensor.detach().to(*wanted, **settings))
                if tensor._state is not None and tensor._state.grad is not None:
                    convert(tensor._state.grad, tensor._state.grad.detach().to(*wanted, **settings))
        return self

    def double(self) -> Self:
        """In float64."""
        from refgrad.dtypes import float64

        return self.to(float64)

    def float(self) -> Self:
        """In float32."""
        from refgrad.dtypes import float32

        return self.to(float32)

    def cpu(self) -> Self:
        """On the CPU, where it is."""
        return self

    # Its text.

    def extra_repr(self) -> str:
        """What stands between the brackets of a module without others; subclasses say."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [f"({name}): {_indented(repr(module))}" for name, module in self._modules.items()]
        if not lines and "\n" not in extra:
            return f"{type(self).__name__}({extra})"
        shown = [*(extra.split("\n") if extra else []), *lines]
        return f"{type(self).__name__}(\n  " + "\n  ".join(shown) + "\n)"

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for kind in KINDS for name in self.__dict__[kind])})


_KIND_NAMES = {"_parameters": "parameter", "_modules": "child module"}


def clear_gradients(parameters: Any, set_to_none: bool) -> None:
    """Drop the gradients of these tensors, or make them zeros in place, cut off whatever graph they are part of."""
    for p in parameters:
        if p.grad is None:
            continue
        if set_to_none:
            p.grad = None
            continue
        if p.grad.grad_fn is not None:
            p.grad.detach_()
        else:
            p.grad.requires_grad_(False)
        p.grad.zero_()


def convert(tensor: Tensor, other: Tensor) -> None:
    """Let a leaf hold the elements of another tensor, and its gradients from now on have their dtype."""
    tensor._array = other._array
    if tensor._state is not None:
        tensor._state.accumulator = None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _quoted(paths: list[str]) -> str:
    return ", ".join(f'"{path}"' for path in paths)


def _indented(text: str) -> str:
    return text.replace("\n", "\n  ")


def _type_name(value: Any) -> str:
    """PyTorch's name of the type of `value`, a tensor's by its dtype."""
    if isinstance(value, Tensor):
        return f"torch.{value.dtype.word}Tensor"
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
