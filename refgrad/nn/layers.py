"""Modules that are one function: the affine map, and activation functions."""

import math
from typing import Any

from refgrad.devices import check_device
from refgrad.dtypes import DEFAULT
from refgrad.nn import functional
from refgrad.nn.module import Module
from refgrad.nn.parameter import Parameter
from refgrad.random import between


class Identity(Module):
    """What it is given."""

    def __init__(self, *ignored: Any, **settings: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """`input`."""
        return input


class Linear(Module):
    """input @ weight.T + bias, over the last dimension.

    weight is (out_features, in_features), bias (out_features) or None. Both start uniform within 1/sqrt(in_features)
    of zero, drawn as PyTorch draws them.
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        check_device(device)
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        gain = math.sqrt(2 / (1 + math.sqrt(5) ** 2))  # as PyTorch: the roots do not cancel to the last bit
        reach = math.sqrt(3) * (gain / math.sqrt(in_features)) if in_features else 0.0
        self.weight = Parameter(between(-reach, reach, (out_features, in_features), dtype or DEFAULT))
        if bias:
            edge = 1 / math.sqrt(in_features) if in_features else 0.0
            self.bias = Parameter(between(-edge, edge, (out_features,), dtype or DEFAULT))
        else:
            self.register_parameter("bias", None)

    def forward(self, input: Any) -> Any:
        """The affine map of `input`."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Its sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )


class Flatten(Module):
    """Dimensions as one, from the second on unless told."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Any:
        """`input`, flattened."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """Its dimensions."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class _Activation(Module):
    """A function of `nn.functional` with settings, which it prints.

    names: the settings that are handed on, in order; those in `quiet` print only if they are true.
    """

    function: Any
    names: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = ()
    quiet: tuple[str, ...] = ()

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__()
        wrong = [name for name in named if name not in self.names]
        if wrong or len(given) > len(self.names):
            what = f"got an unexpected keyword argument '{wrong[0]}'" if wrong else "takes fewer arguments"
            raise TypeError(f"{type(self).__name__}.__init__() {what}")
        values = {
            **dict(zip(self.names, self.defaults, strict=True)),
            **dict(zip(self.names, given, strict=False)),
        }
        for name, value in {**values, **named}.items():
            setattr(self, name, value)

    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.names}

    def forward(self, input: Any) -> Any:
        """The function of `input`."""
        return type(self).function(input, **self._settings())

    def extra_repr(self) -> str:
        """Its settings."""
        shown = {n: v for n, v in self._settings().items() if v or n not in self.quiet}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


def _plain(name: str, *settings: tuple[str, Any], quiet: tuple[str, ...] = (), of: str = "") -> Any:
    """The module over the function of `nn.functional` of the same name in small letters, or `of` that name."""
    function = staticmethod(getattr(functional, of or name.lower()))
    names, defaults = zip(*settings, strict=True) if settings else ((), ())
    held = {
        "function": function,
        "names": names,
        "defaults": defaults,
        "quiet": quiet,
        "__module__": __name__,
    }
    return type(name, (_Activation,), {**held, "__doc__": (function.__doc__ or "").split("\n")[0]})


ReLU = _plain("ReLU", ("inplace", False), quiet=("inplace",))
Tanh = _plain("Tanh")
Sigmoid = _plain("Sigmoid")
SiLU = _plain("SiLU")
GELU = _plain("GELU", ("approximate", "none"))
LeakyReLU = _plain("LeakyReLU", ("negative_slope", 0.01), of="leaky_relu")
ELU = _plain("ELU", ("alpha", 1.0))
Softplus = _plain("Softplus", ("beta", 1.0), ("threshold", 20.0))
Softmax = _plain("Softmax", ("dim", None))
LogSoftmax = _plain("LogSoftmax", ("dim", None), of="log_softmax")
