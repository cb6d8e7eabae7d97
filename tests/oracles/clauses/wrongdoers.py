"""Every wrongdoer by its name: libraries with one fault each, and the clauses that each fault breaks."""

from __future__ import annotations

from .wrongdoers_edges import EDGES
from .wrongdoers_kinks import KINKS
from .wrongdoers_kit import Wrongdoer
from .wrongdoers_leaves import LEAVES
from .wrongdoers_modes import MODES
from .wrongdoers_writing import WRITING

__all__ = ["EVERY", "WRONGDOERS", "Wrongdoer"]

EVERY: tuple[Wrongdoer, ...] = (*KINKS, *EDGES, *LEAVES, *MODES, *WRITING)
WRONGDOERS = {w.name: w for w in EVERY}
