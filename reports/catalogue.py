"""The catalogue in words: each op with its signature, meaning, domain and kinks."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from refgrad import Public


def signature(op: Public) -> str:
    """The op as one calls it, settings with their defaults."""
    settings = (
        name if default is inspect.Parameter.empty else f"{name}={default!r}"
        for name, default in op.settings.items()
    )
    return f"{op.name}({', '.join([*op.inputs, *settings])})"


def facts(op: Public) -> Iterator[tuple[str, str]]:
    """What the catalogue says of the op, each fact with its label; all reals are no fact."""
    yield "meaning", op.facts.meaning if isinstance(op.facts.meaning, str) else op.doc
    if op.facts.poles:
        yield "poles", ", ".join(f"{x} = {pole:g}" for x, poles in op.facts.poles.items() for pole in poles)
    if op.facts.domain:
        yield "domain", ", ".join(f"{x} in ({low:g}, {high:g})" for x, (low, high) in op.facts.domain.items())
    if op.facts.kinks:
        yield "kinks", ", ".join(f"{x} at {_listed(points)}" for x, points in op.facts.kinks.items())


def _listed(points: tuple[float, ...]) -> str:
    return ", ".join(f"{point:g}" for point in points)
