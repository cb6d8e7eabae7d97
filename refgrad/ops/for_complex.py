"""Which ops take complex numbers, and how the others refuse them.

Those are let through whose values and gradients, to second order, `tests/refgrad/test_complex.py` compares with
PyTorch's.
"""

from typing import Final

from refgrad.op import REGISTRY
from refgrad.ops import complexes
from refgrad.record import FOR_COMPLEX, REFUSED

SUBSTITUTES: Final = {
    "abs": complexes.abs_complex,
    "acos": complexes.acos_complex,
    "acosh": complexes.acosh_complex,
    "asin": complexes.asin_complex,
    "asinh": complexes.asinh_complex,
    "pow": complexes.pow_complex,
    "rpow": complexes.rpow_complex,
    "sigmoid": complexes.sigmoid_complex,
}
"""Ops that another is applied for, where numbers are complex."""

COMPARED: Final = (
    *("add", "sub", "rsub", "mul", "div", "reciprocal", "neg", "pow_scalar", "where", "eq", "ne"),
    *("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt"),
    *("sin", "cos", "tan", "atan", "sinh", "cosh", "tanh", "atanh"),
    *(
        "conj",
        "parts",
        "joined",
        "view_as_real",
        "abs_complex",
        "sgn",
        "angle",
        "sigmoid_complex",
        "acosh_complex",
    ),
    *(
        "asin_complex",
        "acos_complex",
        "asinh_complex",
        "pow_complex",
        "rpow_complex",
        "not_below_zero",
        "tanh_backward",
        "zeros_like",
    ),
    *("sum_all", "sum_dim", "mean_all", "mean_dim", "cumsum", "cumprod", "prod_all", "prod_dim"),
    *("mm", "mv", "dot", "bmm", "product", "addmm", "solve", "solve_factored", "inv", "det"),
    *(
        "view",
        "unsafe_view",
        "reshape_alias",
        "alias",
        "clone",
        "to_copy",
        "transpose",
        "t",
        "permute",
        "expand",
    ),
    *(
        "unsqueeze",
        "squeeze",
        "squeeze_dim",
        "squeeze_dims",
        "squeeze_in_place",
        "flip",
        "roll",
        "repeat",
        "cat",
    ),
    *("stack", "split", "split_with_sizes", "unbind", "slice", "slice_backward", "select", "select_backward"),
    *("index", "index_backward", "index_select", "gather", "scatter_add", "diagonal", "diagonal_backward"),
    *("tril", "triu", "as_strided", "as_strided_backward", "masked_fill_number", "spread"),
    *("zero", "fill", "fill_number", "copy", "index_put", "eq_in_place", "ne_in_place"),
    *("eq_in_place_number", "ne_in_place_number"),
    *("t_in_place", "transpose_in_place", "unsqueeze_in_place", "squeeze_all_in_place"),
)
"""The others."""

KERNELS: Final = {
    **{name: f"{name}_cpu" for name in ("gt", "ge", "lt", "le", "atan2", "hypot", "div_trunc", "div_floor")},
    **{name: f"{name}_cpu" for name in ("softplus", "leaky_relu", "elu")},
    **{name: f"{name}_vml_cpu" for name in ("round", "erf", "erfc")},
    **{
        f"{name}_in_place{end}": f"{name}_cpu" for name in ("gt", "ge", "lt", "le") for end in ("", "_number")
    },
    "max_all": "max_all",
    "min_all": "min_all",
    "amax": "max_values_cpu",
    "amin": "min_values_cpu",
    "gelu": "GeluKernelImpl",
    "mse_loss": "mse_cpu",
}
"""What PyTorch calls the kernels that it does not have for complex numbers."""

SAID: Final = {
    **{name: f"{name} is not supported for complex inputs" for name in ("floor", "ceil", "trunc")},
    **dict.fromkeys(("clamp", "clamp_tensor", "relu"), "clamp is not supported for complex types"),
    "sign": "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.",
}
"""What PyTorch says of others."""


def attach() -> None:
    """Say which ops take complex numbers, and how the others refuse them, once all of them are declared."""
    for name in COMPARED:
        FOR_COMPLEX[REGISTRY[name]] = REGISTRY[name]
    for name, used in SUBSTITUTES.items():
        FOR_COMPLEX[REGISTRY[name]] = used
    for name, kernel in KERNELS.items():
        REFUSED[name] = NotImplementedError, f"\"{kernel}\" not implemented for '{{}}'"
    for name, text in SAID.items():
        REFUSED[name] = NotImplementedError, text
    for name in ("maximum", "minimum"):
        REFUSED[name] = RuntimeError, f"{name} not implemented for complex tensors."
    for name in ("max", "min"):
        REFUSED[f"{name}_dim"] = RuntimeError, f"{name}(): does not support complex input"
