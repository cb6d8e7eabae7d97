"""Anomaly detection: which op in the forward pass made the node that fails in the backward pass.

While it is on, in all threads as in PyTorch, each node keeps the traceback of the op that left it behind, and, if
that op ran in a backward pass, the node that was running.
"""

import os
import traceback
import warnings
from collections.abc import Iterable
from pathlib import Path
from threading import local
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from refgrad.modes import watch_everywhere

if TYPE_CHECKING:
    from refgrad.graph import Node

TRACEBACK, PARENT = "traceback_", "parent_"
"""Where a node's metadata keep what is remembered; the keys are PyTorch's."""
HERE: Final = str(Path(__file__).parent) + os.sep


class _State:
    """Whether detection is on, and whether NaN counts as an anomaly."""

    enabled = False
    check_nan = True


class _Running(local):
    """The node that runs in this thread, while detection is on."""

    node: "Node | None" = None


state: Final = _State()
running: Final = _Running()


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return state.enabled


def is_anomaly_check_nan_enabled() -> bool:
    """Whether NaN in a backward pass is an error while detection is on."""
    return state.check_nan


def set_anomaly_enabled(enabled: bool, check_nan: bool = True) -> None:
    """Turn detection on or off, in all threads."""
    state.enabled, state.check_nan = enabled, check_nan
    watch_everywhere(enabled)


class set_detect_anomaly:  # noqa: N801 (PyTorch's name)
    """Turns detection on or off at once; as a context manager it also restores what was before."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = state.enabled, state.check_nan
        set_anomaly_enabled(mode, check_nan)

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        set_anomaly_enabled(*self._before)


class detect_anomaly:  # noqa: N801 (PyTorch's name)
    """Within it detection is on.

    check_nan: whether a backward function that answers with NaN raises RuntimeError.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._before = state.enabled, state.check_nan
        self.check_nan = check_nan
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled "
            "for debugging.",
            UserWarning,
            stacklevel=2,
        )

    def __enter__(self) -> None:
        set_anomaly_enabled(True, self.check_nan)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        set_anomaly_enabled(*self._before)


def remember(node: "Node") -> None:
    """Note in the metadata of a new node where it is made; the engine's own frames are left out, at the end."""
    frames = traceback.extract_stack()
    while frames and frames[-1].filename.startswith(HERE):
        frames.pop()
    node.metadata[TRACEBACK] = frames.format()
    if running.node is not None:
        node.metadata[PARENT] = running.node


def report(node: "Node") -> None:
    """Warn of an error in `node`: where it was made, and by which nodes, in turn, that was induced."""
    lines = _traceback(node)
    warnings.warn(
        f"Error detected in {node.name()}. "
        + (f"Traceback of forward call that caused the error:\n{lines}" if lines else UNKNOWN),
        UserWarning,
        stacklevel=2,
    )
    parent = _parent(node)
    while parent is not None:
        lines = _traceback(parent)
        warnings.warn(
            f"\n\nPrevious calculation was induced by {parent.name()}. "
            + (
                f"Traceback of forward call that induced the previous calculation:\n{lines}"
                if lines
                else UNKNOWN
            ),
            UserWarning,
            stacklevel=2,
        )
        parent = _parent(parent)


UNKNOWN: Final = (
    "No forward pass information available. Enable detect anomaly during forward pass for more information."
)


def _traceback(node: "Node") -> str:
    return "".join(node.metadata.get(TRACEBACK, ()))


def _parent(node: "Node") -> "Node | None":
    parent: Node | None = node.metadata.get(PARENT)
    return parent


def check_nan(node: "Node", answers: Iterable[Any]) -> None:
    """Raise RuntimeError if a cotangent among `answers`, as arrays or tensors, has NaN, and that counts."""
    if not state.check_nan:
        return
    for position, ct in enumerate(answers):
        array = getattr(ct, "_array", ct)
        if array is not None and array.dtype.kind not in "biu" and np.isnan(array).any():
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {position}th output.")
