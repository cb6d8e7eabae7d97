"""PyTorch's shape, given to libraries of another: clause bodies run on a library's own calls, and each call is noted.

A library is described by its differences: for PyTorch's name of a function, a method or an attribute, a *way*, which is
a formula over the library's namespaces and the arguments, or the reason (text) why the library lacks it.

    "exp": lambda mg, x: mg.exp(x)

A way runs on the library's objects, and on names, where it spells itself: what a script shows is what was run. It says
how the library does a thing in one call of its own. It composes nothing that the library lacks and corrects nothing
that it answers, or the shape's faults and merits would be taken for the library's.
"""

from __future__ import annotations

import importlib
import inspect
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from oracles.clauses.claim import Claim, Unsupported
from oracles.clauses.lines import Block, Lines
from oracles.clauses.noted import NotedClaim
from oracles.spelling import Spelled, SpellingError, spell

Way = Callable[..., Any]
Ways = Mapping[str, Way | str]

PACKAGES: Final = frozenset(
    {"autograd", "autograd.forward_ad", "autograd.function", "autograd.functional", "autograd.graph"}
    | {"linalg", "nn", "nn.functional", "optim", "special"}
)
"""PyTorch's packages: a shape has each, and what it lacks within them it lacks by name."""


class Lacks(Unsupported, AttributeError):
    """The library has nothing under this name of PyTorch's; an AttributeError too, so that hasattr answers."""


@dataclass(frozen=True)
class Kind:
    """What may be asked of the library's objects of one type.

    `values` gives an object's elements as nested lists. `attributes` and `methods` are ways that take the object first;
    where `functional`, the library's functions are methods as well. `written` maps each attribute that may be assigned
    to the library's name for it, or to a way that takes the object and the value. `printed` is what a script prints of
    it.
    """

    values: Callable[[Any], Any]
    attributes: Ways = field(default_factory=dict)
    methods: Ways = field(default_factory=dict)
    written: Mapping[str, str | Way] = field(default_factory=dict)
    functional: bool = True
    printed: Way = lambda x: x


@dataclass(frozen=True)
class Shape:
    """A library's differences from PyTorch.

    `namespaces` maps each name that ways may ask for, as their first parameters, to the module that it stands for.
    `kinds` are the types of its objects, by module and name. `blocks` are functions whose result is entered with `with`
    or decorates a function, and `constants` things that are not called, such as dtypes. `prepare` is called before the
    library is used.
    """

    name: str
    namespaces: Mapping[str, str]
    kinds: Mapping[str, Kind]
    functions: Ways
    blocks: Ways = field(default_factory=dict)
    constants: Ways = field(default_factory=dict)
    prepare: Callable[[], None] = lambda: None

    def tape(self) -> Tape:
        """What a clause's body is given as `torch`, with nothing noted yet."""
        return Tape(self)


class Tape:
    """A library in PyTorch's shape; `recorded()` is what was done with it so far."""

    def __init__(self, shape: Shape) -> None:
        shape.prepare()
        self._shape = shape
        self._modules = {name: importlib.import_module(module) for name, module in shape.namespaces.items()}
        self._kinds = {_dotted(path): kind for path, kind in shape.kinds.items()}
        self._known: dict[int, Wrapped] = {}
        self._used: set[str] = set()
        self.lines = Lines()

    @property
    def packages(self) -> set[str]:
        """The packages whose objects are the library's own."""
        return {module.partition(".")[0] for module in self._shape.namespaces.values()} - {"builtins"}

    def claim(self) -> Claim:
        """Claims that note what they are made of."""
        return NotedClaim(self, self.lines)

    def recorded(self) -> list[str]:
        """The lines of a script that does the same with the library alone."""
        used = [f"import {m}" if n == m else f"import {m} as {n}" for n, m in self._shape.namespaces.items()
                if n in self._used - {"builtins"}]  # fmt: skip
        return [*used, "", *self.lines.written]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.find(name)

    def find(self, path: str) -> Any:
        """What stands at a dotted path of PyTorch's.

        Raises:
            Lacks: nothing does.
        """
        shape = self._shape
        for table in (shape.functions, shape.blocks, shape.constants):
            way = table.get(path)
            if isinstance(way, str):
                raise Lacks(way)
            if way is not None and table is shape.constants:
                return self._tried(path, way, (), {})[0]
            if way is not None:
                return partial(self.block if table is shape.blocks else self.call, path, way)
        if path in PACKAGES:
            return Package(self, path)
        raise Lacks(f"{shape.name} has no torch.{path}")

    def call(self, what: str, way: Way, *arguments: Any, **settings: Any) -> Any:
        """The result of a way, noted; objects of the library are wrapped, the same one always alike."""
        result, text = self._tried(what, way, arguments, settings)
        return self._named(result, text, "x" if what == "tensor" else "y")

    def read(self, what: str, way: Way, wrapped: Wrapped) -> Any:
        """An attribute of an object, noted where it is something new."""
        result, text = self._tried(what, way, (wrapped,), {})
        if id(result) not in self._known:
            return self._named(result, text, "y", attribute=True)
        known = self._known[id(result)]
        object.__setattr__(known, "latest", text)
        return known

    def block(self, what: str, way: Way, *arguments: Any, **settings: Any) -> Any:
        """What can be entered, or decorates; where it was given a function to decorate, that function decorated."""
        decorated = arguments[0] if arguments and callable(arguments[0]) else None
        given = () if decorated else arguments
        manager, text = self._tried(what, way, given, settings)
        made = Block(self.lines, manager, text)
        return made(decorated) if decorated else made

    def _tried(self, what: str, way: Way, arguments: Any, settings: Any) -> tuple[Any, str]:
        """The result of a way and its spelling; where the library raises, that is noted, and raised on."""
        text = self._spelling(what, way, arguments, settings)
        spaces = [self._modules[name] for name in self.spaces(way)]
        try:
            return way(*spaces, *(_each(a, _bare) for a in arguments), **_each(settings, _bare)), text
        except Exception as error:
            self.lines.attempt(text)
            if isinstance(error, AttributeError) and self._own(error.obj):
                raise Lacks(f"{self._shape.name}: {error}") from error
            raise

    def _own(self, thing: Any) -> bool:
        """Whether it is a module of the library, or an object of one of its types."""
        return thing in self._modules.values() if inspect.ismodule(thing) else self.kind(thing) is not None

    def spaces(self, way: Way) -> list[str]:
        """The namespaces that a way asks for."""
        return [name for name in inspect.signature(way).parameters if name in self._modules]

    def _spelling(self, what: str, way: Way, arguments: Any, settings: Any) -> str:
        spaces = self.spaces(way)
        self._used.update(spaces)
        try:
            inspect.signature(way).bind(*spaces, *arguments, **settings)
        except TypeError as error:
            raise Lacks(f"{self._shape.name}: {what} {error}") from None
        names = [Spelled(name) for name in spaces]
        try:
            text = spelled(way(*names, *(_each(a, _name) for a in arguments), **_each(settings, _name)))
        except SpellingError as error:
            raise Lacks(f"{self._shape.name}: {error}") from None
        return text.replace("builtins.", "")

    def _named(self, result: Any, text: str, letter: str, attribute: bool = False) -> Any:
        if id(result) in self._known:
            self.lines.add(text)
            return self._known[id(result)]
        if isinstance(result, tuple | list) and any(self.kind(r) for r in result):
            name = self.lines.assign(text, letter)
            return type(result)(self._wrapped(r, Spelled(f"{name}[{k}]")) for k, r in enumerate(result))
        if self.kind(result):
            return self._wrapped(result, Spelled(self.lines.assign(text, letter)))
        self.lines.add(text if result is None and not attribute else f"print({text})")
        return result

    def kind(self, thing: Any) -> Kind | None:
        """What may be asked of the object, if it is one of the library's."""
        return next((kind for type_, kind in self._kinds.items() if isinstance(thing, type_)), None)

    def _wrapped(self, thing: Any, name: Spelled) -> Any:
        if id(thing) not in self._known and self.kind(thing):
            self._known[id(thing)] = Wrapped(self, thing, name)
        return self._known.get(id(thing), thing)

    def asked(self, wrapped: Wrapped, name: str) -> Any:
        """An attribute, or a method."""
        kind = self.kind(wrapped.it)
        assert kind is not None
        for table in (kind.attributes, kind.methods, self._shape.functions if kind.functional else {}):
            way = table.get(name)
            if isinstance(way, str):
                raise Lacks(way)
            if way is not None:
                if table is kind.attributes:
                    return self.read(name, way, wrapped)
                return partial(self.call, name, way, wrapped)
        raise Lacks(f"{self._shape.name}: a {type(wrapped.it).__name__} has no {name}")

    def write(self, wrapped: Wrapped, name: str, value: Any) -> None:
        """Assign an attribute."""
        kind = self.kind(wrapped.it)
        assert kind is not None
        if name not in kind.written:
            raise Lacks(f"{self._shape.name}: {name} of a {type(wrapped.it).__name__} cannot be assigned")
        own = kind.written[name]
        if not isinstance(own, str):
            self.call(name, own, wrapped, value)
            return
        text = f"{wrapped.name}.{own} = {spelled(_each(value, _name))}"
        self._state(text, lambda: setattr(wrapped.it, own, _each(value, _bare)))

    def place(self, wrapped: Wrapped, index: Any, value: Any) -> None:
        """Assign elements."""
        self.needs(wrapped, "__setitem__", "assignment to elements")
        text = f"{wrapped.name[_each(index, _name)]} = {spelled(_each(value, _name))}"
        self._state(text, lambda: operator.setitem(wrapped.it, _each(index, _bare), _each(value, _bare)))

    def _state(self, text: str, carry_out: Callable[[], None]) -> None:
        try:
            carry_out()
        except Exception:
            self.lines.attempt(text)
            raise
        self.lines.add(text)

    def needs(self, wrapped: Wrapped, method: str, what: str) -> None:
        """Raise `Lacks` unless the object's type has this special method."""
        if not hasattr(type(wrapped.it), method):
            raise Lacks(f"{self._shape.name}: a {type(wrapped.it).__name__} has no {what}")


class Package:
    """One of PyTorch's packages in a library of another shape."""

    def __init__(self, tape: Tape, path: str) -> None:
        self._tape, self._path = tape, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._tape.find(f"{self._path}.{name}")


class Wrapped:
    """An object of the library, asked in PyTorch's words."""

    __slots__ = ("it", "latest", "name", "tape")

    def __init__(self, tape: Tape, it: Any, name: Spelled) -> None:
        for slot, value in (("tape", tape), ("it", it), ("name", name), ("latest", str(name))):
            object.__setattr__(self, slot, value)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.tape.asked(self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.tape.write(self, name, value)

    def __getitem__(self, index: Any) -> Any:
        self.tape.needs(self, "__getitem__", "elements")
        return self.tape.call("indexing", lambda x, at: x[at], self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.tape.place(self, index, value)

    def __neg__(self) -> Any:
        return self.tape.call("minus", lambda x: -x, self)

    def __iter__(self) -> Any:
        raise Lacks("what a single object of the library is unpacked to, is not asked")

    def printed(self) -> str:
        """What a script prints of it."""
        kind = self.tape.kind(self.it)
        assert kind is not None
        return spelled(kind.printed(self.name))

    def tolist(self) -> Any:
        """The elements, as nested lists: what claims compare; it is not noted."""
        kind = self.tape.kind(self.it)
        assert kind is not None
        return kind.values(self.it)


def _binary(name: str) -> tuple[Way, Way]:
    carry_out = getattr(operator, name)

    def forward(self: Wrapped, other: Any) -> Any:
        return self.tape.call(name, lambda a, b: carry_out(a, b), self, other)

    def reflected(self: Wrapped, other: Any) -> Any:
        return self.tape.call(name, lambda a, b: carry_out(a, b), other, self)

    return forward, reflected


for _operator in ("add", "sub", "mul", "truediv", "pow", "matmul", "lt", "le", "gt", "ge", "eq", "ne"):
    _forward, _reflected = _binary(_operator)
    setattr(Wrapped, f"__{_operator}__", _forward)
    if _operator not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(Wrapped, f"__r{_operator}__", _reflected)
Wrapped.__hash__ = object.__hash__  # type: ignore[method-assign]


def spelled(value: Any) -> str:
    """A value as code, as far as there is any for it."""
    try:
        return spell(value)
    except SpellingError:
        return getattr(value, "__name__", repr(value))


def _each(value: Any, change: Callable[[Wrapped], Any]) -> Any:
    """The value with every wrapped object in it changed."""
    if isinstance(value, Wrapped):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_each(v, change) for v in value)
    return {k: _each(v, change) for k, v in value.items()} if isinstance(value, dict) else value


def _name(wrapped: Wrapped) -> Spelled:
    name: Spelled = wrapped.name
    return name


def _bare(wrapped: Wrapped) -> Any:
    return wrapped.it


def _dotted(path: str) -> type:
    module, _, name = path.rpartition(".")
    found: type = getattr(importlib.import_module(module), name)
    return found
