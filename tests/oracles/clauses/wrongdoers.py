"""Every wrongdoer by its name: libraries with one fault each, and the clauses that each fault breaks."""

from __future__ import annotations

from .wrongdoers_accumulation import ACCUMULATION
from .wrongdoers_backward import BACKWARD
from .wrongdoers_beyond import BEYOND
from .wrongdoers_edges import EDGES
from .wrongdoers_forward import CHECKING, FORWARD, FUNCTIONAL
from .wrongdoers_functions import FUNCTIONS
from .wrongdoers_hooks import HOOKS
from .wrongdoers_kinks import KINKS
from .wrongdoers_kit import Wrongdoer
from .wrongdoers_leaves import LEAVES
from .wrongdoers_modes import MODES
from .wrongdoers_nodes import OBJECTS, SAVED
from .wrongdoers_threads import THREADS
from .wrongdoers_writing import WRITING

__all__ = ["EVERY", "WRONGDOERS", "Wrongdoer"]

EVERY: tuple[Wrongdoer, ...] = (
    *(*KINKS, *EDGES, *LEAVES, *BACKWARD, *ACCUMULATION, *MODES, *WRITING, *HOOKS, *OBJECTS),
    *(*FUNCTIONS, *SAVED, *FORWARD, *FUNCTIONAL, *CHECKING, *THREADS, *BEYOND),
)
WRONGDOERS = {w.name: w for w in EVERY}
