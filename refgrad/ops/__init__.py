"""The ops by family, each declared once, and PyTorch's functions over those whose signature differs."""

from refgrad.ops import (
    arithmetic,
    constants,
    exponential,
    indexing,
    linear,
    products,
    reductions,
    shapes,
    shaping,
    totals,
)

__all__ = [
    "arithmetic",
    "constants",
    "exponential",
    "indexing",
    "linear",
    "products",
    "reductions",
    "shapes",
    "shaping",
    "totals",
]
