"""What a wrongdoer is, and the ways to make a fault in a library and to take it away again."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from refgrad.op import REGISTRY, Joint, replaced

Install = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Wrongdoer:
    """A library with one fault.

    wrong: what it does wrong, in one sentence.
    install: a context manager; within it the library has the fault.
    breaks: the ids of the clauses that it does not hold within, which are exactly those that it declares.
    library: which library it is made of.
    """

    name: str
    wrong: str
    install: Install
    breaks: frozenset[str]
    library: str = "refgrad"


def wrongdoer(name: str, wrong: str, *faults: Install, breaks: str, library: str = "refgrad") -> Wrongdoer:
    """A wrongdoer that has all of these faults at once; `breaks`: the ids of clauses, with blanks between them."""

    @contextmanager
    def install() -> Iterator[None]:
        with ExitStack() as stack:
            for fault in faults:
                stack.enter_context(fault())
            yield

    return Wrongdoer(name, wrong, install, frozenset(breaks.split()), library)


def edited(function: Any, *texts: str) -> Install:
    """The fault of having other text in a function's source: of each two texts the first becomes the second.

    A text of several lines begins with an empty one, and is indented as a block; it is looked for at any depth.
    The function stays the same object, so that whoever has got hold of it has the fault too. A text that does not occur
    once is an AssertionError: the engine was written anew there, and the fault must be as well.
    """

    @contextmanager
    def install() -> Iterator[None]:
        target = inspect.unwrap(function)
        before = target.__code__
        target.__code__ = _compiled(target, [_block(text) for text in texts])
        try:
            yield
        finally:
            target.__code__ = before

    return install


def _block(text: str) -> str:
    return textwrap.dedent(text).strip() if text.startswith("\n") else text


def _compiled(function: FunctionType, texts: list[str]) -> CodeType:
    """The code of a function after changes to its source."""
    source = textwrap.dedent(inspect.getsource(function))
    for old, new in zip(texts[::2], texts[1::2], strict=True):
        source = _replaced(source, old, new, function.__qualname__)
    cells = function.__code__.co_freevars
    name = function.__code__.co_name
    body = textwrap.indent(source, "    ")
    made = f"def outside({', '.join(cells)}):\n{body}\n    return {name}"
    inner = compile(f"from __future__ import annotations\n{made}", f"<{name} done wrong>", "exec")
    outside = next(c for c in inner.co_consts if isinstance(c, CodeType))
    code = next(c for c in outside.co_consts if isinstance(c, CodeType) and c.co_name == name)
    assert code.co_freevars == cells, f"{name} closes over {code.co_freevars}, not {cells}"
    return code


def _replaced(source: str, old: str, new: str, where: str) -> str:
    """The source with one text in place of another, both indented as the line in which the other stands."""
    found = []
    for depth in {len(line) - len(line.lstrip()) for line in source.splitlines()}:
        indented = old.replace("\n", "\n" + " " * depth)
        places = [m.start() for m in re.finditer(re.escape(indented), source)]
        found += [(place, depth, indented) for place in places if _depth(source, place) == depth]
    assert len(found) == 1, f"{where} says {len(found)} times: {old}"
    place, depth, indented = found[0]
    return source[:place] + new.replace("\n", "\n" + " " * depth) + source[place + len(indented) :]


def _depth(source: str, place: int) -> int:
    """By how much the line at a place is indented."""
    line = source[source.rfind("\n", 0, place) + 1 :]
    return len(line) - len(line.lstrip(" "))


def swapped(where: Any, **others: Any) -> Install:
    """The fault of having other things under these names in a module or a class."""
    absent = object()

    @contextmanager
    def install() -> Iterator[None]:
        before = {name: vars(where).get(name, absent) for name in others}
        for name, other in others.items():
            setattr(where, name, other)
        try:
            yield
        finally:
            for name, former in before.items():
                if former is absent:
                    delattr(where, name)
                else:
                    setattr(where, name, former)

    return install


def formula(op: str, wrong: Any, *inputs: str) -> Install:
    """The fault of another formula for these inputs of an op of the engine; for the first if none is named."""

    @contextmanager
    def install() -> Iterator[None]:
        target = REGISTRY[op]
        names = wrong.inputs if isinstance(wrong, Joint) else inputs or target.inputs[:1]
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(replaced(target, name, wrong))
            yield

    return install
