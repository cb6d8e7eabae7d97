"""The judges: programs, oracles, budgets, verdicts, subjects and campaigns."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oracles.check import CannotTell, Checked, GradientMismatch, check_gradient

__all__ = ["CannotTell", "Checked", "GradientMismatch", "check_gradient"]


def __getattr__(name: str) -> Any:
    """What judges one function, imported when it is first asked for: records and pages do without."""
    if name in __all__:
        from oracles import check

        return getattr(check, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
