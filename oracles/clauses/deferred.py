"""PyTorch's shape for libraries without a tape: what was computed is run again, as a function, for its gradient.

Every call is carried out at once on plain arrays and kept as a step. `torch.autograd.grad(outputs, inputs)` makes a
function of the steps between the two and hands it to the library's own vector-Jacobian product. Nothing is left in
tensors, so that `backward`, `.grad`, hooks and all else that needs a tape are lacking, with that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from oracles.clauses.lines import Lines
from oracles.clauses.shape import Kind, Lacks, Shape, Tape, Way, Ways, Wrapped
from oracles.spelling import Spelled
from oracles.subjects.printing import make_vjp_source

MakeVjp = Callable[[Callable[..., tuple[Any, ...]], tuple[Any, ...]], tuple[Any, Any]]

FLAGS: Final = (
    "requires_grad",
    "is_leaf",
    "grad_fn",
    "_version",
    "requires_grad_",
    "retain_grad",
    "register_hook",
)
"""What PyTorch's tensors have because there is a tape."""
CALLS: Final = (
    "no_grad",
    "enable_grad",
    "set_grad_enabled",
    "is_grad_enabled",
    "inference_mode",
    "autograd.backward",
)

HELPER = '''
def gradients(function, inputs, cotangents):
    """The function's vector-Jacobian product."""
    _, pull = make_vjp(function, inputs)
    return tuple(pull(cotangents))

'''


def flagged(data: Any, requires_grad: bool | None, reason: str) -> None:
    """Refuse what needs PyTorch's flag, where the library has none and everything floating can be differentiated.

    Raises:
        Lacks: a constant is asked for, or a leaf of something else than floating-point numbers.
    """
    if requires_grad is False or (requires_grad and not _floating(data)):
        raise Lacks(reason)


def _floating(data: Any) -> bool:
    return any(map(_floating, data)) if isinstance(data, list) else isinstance(data, float)


@dataclass(frozen=True)
class Deferred(Shape):
    """A library of functions in PyTorch's shape; `make_vjp` is as in `oracles.subjects.functional`.

    `functionals` maps names of `torch.autograd.functional` to ways that take a function of one array, and the array.
    """

    functionals: Ways = field(kw_only=True, default_factory=dict)
    make_vjp: MakeVjp = field(kw_only=True)
    reason: str = field(kw_only=True)

    def tape(self) -> Replayed:
        """What a clause's body is given as `torch`."""
        return Replayed(self)


@dataclass(frozen=True)
class Step:
    """How a value came about: a way and its arguments, or the gradient of outputs with respect to the input `at`."""

    way: Way | None
    arguments: tuple[Any, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    at: int = 0


class Replayed(Tape):
    """The library, and every step that was made with it."""

    def __init__(self, shape: Deferred) -> None:
        super().__init__(shape)
        self._made: Deferred = shape
        self._steps: dict[Wrapped, Step] = {}
        self._texts: dict[Wrapped, str] = {}
        self._count = 0

    def find(self, path: str) -> Any:
        """As `Tape.find`, with `autograd.grad`."""
        if path == "autograd.grad":
            return self.grad
        if path == "autograd.functional.vjp":
            return self.vjp
        package, _, name = path.rpartition(".")
        if package == "autograd.functional" and callable(way := self._made.functionals.get(name)):
            return partial(self._of_function, name, way)
        if path in CALLS:
            raise Lacks(self._made.reason)
        return super().find(path)

    def recorded(self) -> list[str]:
        """As `Tape.recorded`, with what the calls for gradients need."""
        lines = super().recorded()
        if not self._count:
            return lines
        cut = lines.index("")
        return [*lines[:cut], "", *make_vjp_source(self._made.make_vjp), HELPER, *lines[cut:]]

    def call(self, what: str, way: Way, *arguments: Any, **settings: Any) -> Any:
        """As `Tape.call`, and kept as a step."""
        result = super().call(what, way, *arguments, **settings)
        if (
            isinstance(result, Wrapped)
            and result not in self._steps
            and what not in ("tensor", "ones", "zeros")
        ):
            self._steps[result] = Step(way, arguments, settings)
        return result

    def place(self, wrapped: Wrapped, index: Any, value: Any) -> None:
        """Elements are not written into: a step that was made with them would be another when it is made again.

        Raises:
            Lacks: always.
        """
        raise Lacks(self._made.reason)

    def _named(self, result: Any, text: str, letter: str, attribute: bool = False) -> Any:
        made = super()._named(result, text, letter, attribute)
        if isinstance(made, Wrapped):
            self._texts.setdefault(made, text)
        return made

    def grad(
        self,
        outputs: Any,
        inputs: Any,
        grad_outputs: Any = None,
        retain_graph: Any = None,
        create_graph: bool = False,
        **settings: Any,
    ) -> tuple[Any, ...]:
        """The library's vector-Jacobian product of the steps between inputs and outputs.

        Raises:
            Lacks: another setting of PyTorch's is asked for.
        """
        if settings:
            raise Lacks(f"{self._made.name} has nothing like {', '.join(settings)}")
        ys, xs = _tuple(outputs), _tuple(inputs)
        given = _tuple(grad_outputs) if grad_outputs is not None else (None,) * len(ys)
        if len(given) != len(ys) or not xs:
            raise Lacks(f"{self._made.name}: a product takes inputs, and a vector for each output")
        gs = tuple(self._seed(y, g) for y, g in zip(ys, given, strict=True))
        if not all(isinstance(thing, Wrapped) for thing in (*ys, *xs)):
            raise Lacks(f"{self._made.name}: a gradient is of arrays")
        found = self._pull(ys, xs, gs, {})
        with self.lines.alone:
            text = self._function(ys, xs, gs)
            name = self.lines.assign(text, "y")
        wrapped = []
        for k, gradient in enumerate(found):
            made = Wrapped(self, gradient, Spelled(f"{name}[{k}]"))
            self._steps[made] = Step(None, (ys, xs, gs), at=k)
            self._texts[made] = f"{text}[{k}]"
            wrapped.append(made)
        return tuple(wrapped)

    def vjp(self, func: Any, inputs: Any, v: Any = None, create_graph: bool = False, **settings: Any) -> Any:
        """What a function gives, and the product of its Jacobian with a vector from the left."""
        outputs = func(*_tuple(inputs))
        product = self.grad(outputs, inputs, v, **settings)
        return outputs, product if isinstance(inputs, tuple | list) else product[0]

    def _of_function(self, what: str, way: Way, func: Any, inputs: Any, **settings: Any) -> Any:
        """What the library makes of a function of one array, at that array.

        Raises:
            Lacks: it takes several, or another setting of PyTorch's is asked for.
        """
        if settings or not isinstance(inputs, Wrapped):
            raise Lacks(f"{self._made.name}: {what} takes a function of one array, and nothing else")
        self._count += 1
        name, noted = f"function{self._count}", self.lines

        def function(value: Any) -> Any:
            before, self.lines = self.lines, self.lines if not noted.has(name) else Lines()
            try:
                self.lines.open(f"def {name}(x):")
                result = func(Wrapped(self, value, Spelled("x")))
                if not isinstance(result, Wrapped):
                    raise Lacks(f"{self._made.name}: {what} takes a function that gives one array")
                self.lines.add(f"return {result.name}")
                self.lines.close()
                return result.it
            finally:
                self.lines = before

        spaces = self.spaces(way)
        self._used.update(spaces)
        result = way(*(self._modules[n] for n in spaces), function, inputs.it)
        return self._named(result, str(way(*map(Spelled, spaces), Spelled(name), inputs.name)), "y")

    def _seed(self, y: Any, g: Any) -> Any:
        if g is not None:
            return g
        if y.it.ndim:
            raise Lacks(f"{self._made.name}: a product of several elements asks for a vector")
        return self.find("ones")()

    def _pull(self, ys: Any, xs: Any, gs: Any, given: Mapping[Wrapped, Any]) -> tuple[Any, ...]:
        def function(*values: Any) -> tuple[Any, ...]:
            replaced = {**given, **dict(zip(xs, values, strict=True))}
            found: dict[Wrapped, Any] = {}
            return tuple(self._value(y, replaced, found) for y in ys)

        at = tuple(self._value(x, given, {}) for x in xs)
        _, pull = self._made.make_vjp(function, at)
        return tuple(pull(tuple(self._value(g, given, {}) for g in gs)))

    def _value(self, thing: Any, given: Mapping[Wrapped, Any], found: dict[Wrapped, Any]) -> Any:
        """A value when the steps are run again with these in place of some."""
        if isinstance(thing, tuple | list):
            return type(thing)(self._value(t, given, found) for t in thing)
        if not isinstance(thing, Wrapped):
            return thing
        if thing in given:
            return given[thing]
        step = self._steps.get(thing)
        if step is None:
            return thing.it
        if thing not in found:
            found[thing] = self._again(step, given, found)
        return found[thing]

    def _again(self, step: Step, given: Mapping[Wrapped, Any], found: dict[Wrapped, Any]) -> Any:
        if step.way is None:
            ys, xs, gs = step.arguments
            return self._pull(ys, xs, gs, given)[step.at]
        spaces = [self._modules[name] for name in self.spaces(step.way)]
        arguments = self._value(step.arguments, given, found)
        settings = {name: self._value(s, given, found) for name, s in step.settings.items()}
        return step.way(*spaces, *arguments, **settings)

    def _function(self, ys: Any, xs: Any, gs: Any) -> str:
        """Note the steps as a function; the call of `gradients` on it."""
        self._count += 1
        name = f"function{self._count}"
        self.lines.open(f"def {name}({', '.join(str(x.name) for x in xs)}):")
        for step in self._between(ys, set(xs)):
            self.lines.add(f"{str(step.name).partition('[')[0]} = {self._texts[step].partition(')[')[0]}"
                           + (")" if ")[" in self._texts[step] and self._steps[step].way is None else ""))  # fmt: skip
        self.lines.add(f"return ({', '.join(str(y.name) for y in ys)},)")
        self.lines.close()
        inputs = ", ".join(str(x.name) for x in xs)
        return f"gradients({name}, ({inputs},), ({', '.join(str(g.name) for g in gs)},))"

    def _between(self, ys: Any, xs: set[Wrapped]) -> list[Wrapped]:
        """The steps that lie between inputs and outputs, in the order in which they were made."""
        seen: set[Wrapped] = set()
        left = [y for y in ys if y not in xs]
        while left:
            thing = left.pop()
            if thing not in seen and thing not in xs and thing in self._steps:
                seen.add(thing)
                left += _objects((self._steps[thing].arguments, *self._steps[thing].settings.values()))
        made = list(self._steps)  # at once: other threads may be making steps
        return [thing for thing in made if thing in seen]


def _tuple(things: Any) -> tuple[Any, ...]:
    if isinstance(things, dict):
        raise Lacks("a product's inputs have no names")
    return tuple(things) if isinstance(things, tuple | list) else (things,)


def _objects(things: Any) -> list[Wrapped]:
    if isinstance(things, tuple | list):
        return [o for thing in things for o in _objects(thing)]
    return [things] if isinstance(things, Wrapped) else []


def arrays(reason: str, values: Callable[[Any], Any], methods: Ways) -> Kind:
    """The kind of a library's arrays, where nothing is recorded in them."""
    lacking = dict.fromkeys((*FLAGS, "grad", "backward", "detach_", "add_", "sub_", "mul_"), reason)
    return Kind(
        values,
        attributes={
            "shape": lambda x: x.shape,
            "ndim": lambda x: x.ndim,
            "dtype": lambda x: x.dtype,
            **lacking,
        },
        methods={"item": lambda x: x.item(), **methods},
    )
