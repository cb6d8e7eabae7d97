"""What a clause is: one numbered sentence of PyTorch's autograd contract, with a body that any library can run.

    @clause("BW-4", "torch.autograd.backward")
    def accumulates(torch, claim):
        \"\"\"Gradients accumulate by addition into leaf .grad over repeated calls.\"\"\"
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        (x * 3).sum().backward()
        (x * 4).sum().backward()
        claim.equal(x.grad, [7.0, 7.0])

A body is ordinary PyTorch code of a few lines with exact numbers; `torch` is the library that is judged, and `claim` is
what it must show. The docstring is the sentence. PyTorch holds every clause, or the clause is wrong.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from oracles.clauses.claim import Claim

Body = Callable[[Any, Claim], None]

TOPICS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "ND": "Gradients where there is no derivative",
        "RG": "requires_grad, leaves and detach",
        "BW": "backward()",
        "GR": "autograd.grad()",
        "AC": "What accumulates in .grad",
        "GM": "Grad modes",
        "IP": "Writing in place, versions and views",
        "HK": "Hooks",
        "NO": "Graph objects",
        "CF": "Custom functions",
        "AN": "Anomaly detection",
        "SH": "Saved-tensor hooks",
        "FW": "Forward mode",
        "FN": "autograd.functional",
        "CX": "Complex numbers",
        "GC": "gradcheck",
        "TH": "Threads",
    }
)
"""The topics by the letters that their clauses' ids begin with, in the order of the report."""

_CLAUSES: Final[dict[str, Clause]] = {}


@dataclass(frozen=True)
class Clause:
    """One sentence and its body.

    id: its topic's letters and a number, such as "BW-4".
    page: where PyTorch's documentation states it; "behaviour" where only its tests do.
    withdrawn: why it is not asked of anyone, if it is not: then it has no body that runs.
    """

    id: str
    sentence: str
    page: str
    body: Body
    withdrawn: str = ""

    @property
    def topic(self) -> str:
        """What it is about."""
        return TOPICS[self.id.partition("-")[0]]

    @property
    def order(self) -> tuple[int, int]:
        """Its place among all clauses."""
        letters, _, number = self.id.partition("-")
        return list(TOPICS).index(letters), int(number)

    @property
    def lines(self) -> str:
        """The body's code, without its signature and sentence."""
        source = textwrap.dedent(inspect.getsource(self.body))
        after = source.split('"""', 2)[2]
        return textwrap.dedent(after.lstrip("\n")).rstrip()


def clause(id: str, page: str, *, withdrawn: str = "") -> Callable[[Body], Body]:  # noqa: A002
    """Declare a clause; its function's docstring is the sentence.

    Raises:
        TypeError: the id is taken or of no topic, or there is no sentence.
    """

    def declare(body: Body) -> Body:
        letters, _, number = id.partition("-")
        if letters not in TOPICS or not number.isdigit():
            raise TypeError(
                f"{id!r} is no id of a clause: write a topic of {', '.join(TOPICS)}, '-' and a number"
            )
        if id in _CLAUSES:
            raise TypeError(f"clause {id} is declared twice")
        if not body.__doc__:
            raise TypeError(f"clause {id} has no sentence: write it as the docstring of {body.__name__}")
        _CLAUSES[id] = Clause(id, " ".join(body.__doc__.split()), page, body, withdrawn)
        return body

    return declare


def clauses() -> Mapping[str, Clause]:
    """Every clause by its id, in the order of the report."""
    import oracles.clauses.every  # noqa: F401 - declares them

    return {c.id: c for c in sorted(_CLAUSES.values(), key=lambda c: c.order)}
