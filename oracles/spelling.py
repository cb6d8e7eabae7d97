"""Code as text without code as text: a formula that runs on arrays, run on names, spells itself.

`lambda np, x, dim: np.sum(x, axis=dim)` given `Spelled("np")` and `Spelled("x")` answers `Spelled("np.sum(x,
axis=0)")`. So what a report prints is what the subject ran, and nothing ever evaluates a string.
"""

from __future__ import annotations

import builtins
import keyword
import math
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np

RESERVED = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins)) | {"_"}


class SpellingError(TypeError):
    """A formula asked a name for something that only a value has, such as its truth or its length."""


class Spelled:
    """An expression as text. Attributes, calls, operators and indexing give longer expressions."""

    def __init__(self, text: str, atom: bool = True) -> None:
        self._text = text
        self._atom = atom

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"Spelled({self._text!r})"

    def __getattr__(self, name: str) -> Spelled:
        if name.startswith("__"):
            raise AttributeError(name)
        return Spelled(f"{tight(self)}.{name}")

    def __call__(self, *args: Any, **settings: Any) -> Spelled:
        """Spell a call."""
        words = [spell(a) for a in args] + [f"{k}={spell(v)}" for k, v in settings.items()]
        return Spelled(f"{tight(self)}({', '.join(words)})")

    def __getitem__(self, index: Any) -> Spelled:
        items = index if isinstance(index, tuple) and index else (index,)
        comma = "," if isinstance(index, tuple) and len(index) == 1 else ""
        return Spelled(f"{tight(self)}[{', '.join(spell_item(i) for i in items)}{comma}]")

    def __neg__(self) -> Spelled:
        return Spelled(f"-{tight(self)}", atom=False)

    def _refuse(self, *_: Any) -> NoReturn:
        raise SpellingError(
            f"the formula needs the value of {self._text}, and printed code has only its name"
        )

    __bool__ = __len__ = __iter__ = __int__ = __float__ = __index__ = __contains__ = _refuse


def _binary(sign: str) -> tuple[Callable[..., Spelled], Callable[..., Spelled]]:
    """The method for an operator, and its reflection."""

    def forward(self: Spelled, other: Any) -> Spelled:
        return Spelled(f"{tight(self)} {sign} {tight(other)}", atom=False)

    def reflected(self: Spelled, other: Any) -> Spelled:
        return Spelled(f"{tight(other)} {sign} {tight(self)}", atom=False)

    return forward, reflected


OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "floordiv": "//", "mod": "%", "pow": "**",
    "matmul": "@",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=", "and": "&", "or": "|", "xor": "^",
}  # fmt: skip
for _name, _sign in OPERATORS.items():
    _forward, _reflected = _binary(_sign)
    setattr(Spelled, f"__{_name}__", _forward)
    if _name not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Spelled, f"__r{_name}__", _reflected)
Spelled.__hash__ = object.__hash__  # type: ignore[method-assign]


def tight(value: Any) -> str:
    """The value's spelling, in parentheses where an operator beside it could tear it apart."""
    text = spell(value)
    loose = (not value._atom) if isinstance(value, Spelled) else text.startswith("-")
    return f"({text})" if loose else text


def spell(value: Any) -> str:
    """A Python expression for an operand, a setting or a list of them; a number reads back exactly.

    Raises:
        SpellingError: there is no expression for such a value.
    """
    if isinstance(value, Spelled):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value!r}")'
    if value is None or value is Ellipsis or isinstance(value, bool | int | str):
        return "..." if value is Ellipsis else repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(spell, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, list):
        return f"[{', '.join(map(spell, value))}]"
    raise SpellingError(f"a {type(value).__name__} has no spelling: {value!r}")


def spell_item(item: Any) -> str:
    """One item of an index as it stands between the brackets."""
    if not isinstance(item, slice):
        return spell(item)
    start, stop, step = ("" if part is None else spell(part) for part in (item.start, item.stop, item.step))
    return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"


def spell_array(array: np.ndarray[Any, Any]) -> str:
    """Nested lists of the shortest decimals that read back as exactly these elements in the array's dtype.

    An array of size 0 is spelled by its nested lists as far as they go, so its shape must be stated beside
    it.
    """
    if array.ndim:
        return f"[{', '.join(spell_array(part) for part in array)}]"
    value = array.item()
    if isinstance(value, float):
        return _shortest(array, value)
    return repr(value)


def _shortest(array: np.ndarray[Any, Any], value: float) -> str:
    """The shortest decimal that becomes this element when Python reads it and NumPy narrows it."""
    if not math.isfinite(value):
        return spell(value)
    short = str(array[()])
    same = math.copysign(1, float(short)) == math.copysign(1, value)
    return (
        repr(float(short)) if same and np.asarray(float(short)).astype(array.dtype) == array else repr(value)
    )


def identifiers(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """A valid and distinct Python identifier for each name, the name itself where it is one and is free."""
    used = set(taken) | RESERVED
    chosen = []
    for name in names:
        stem = re.sub(r"\W", "_", name, flags=re.ASCII) or "value"
        stem = f"v{stem}" if stem[0].isdigit() else stem
        word, number = stem, 1
        while word in used:
            number += 1
            word = f"{stem}_{number}"
        used.add(word)
        chosen.append(word)
    return chosen
