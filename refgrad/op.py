"""What an op is: a NumPy evaluation with one formula per differentiable input.

    @op(Facts("log(x)", domain={"x": (0, inf)}), x=lambda g, x: g / x)
    def log(x):
        return np.log(x)

Positional parameters are the tensors, keyword-only ones the settings. A formula asks by parameter name for
what it needs, and what it asks for is what is saved:

    g          the cotangent of the output, always first; where several outputs are differentiable, g_q, g_r;
               where there may be any number of outputs, gs
    y          the output; of several outputs, each by its own name
    LU         an auxiliary result: computed forward and saved, not returned
    x          an input
    dim        a setting
    x_shape    the shape of an input; for a list of inputs `xs`, `xs_shapes`
    needs      in a joint formula, last: which of its inputs want a gradient, as a tuple of bools

Formulas speak ops and operators, never NumPy: one formula then runs on arrays, on tensors (which record it)
and on anything else that answers to `__apply_op__`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import Parameter, signature
from typing import Any, Final

import numpy as np
from numpy import ndarray

from refgrad.binding import Binding, Formula, Frame, Joint, Plan, Zero, bind

__all__ = [
    "COMMON",
    "FLOAT",
    "MOVES",
    "NO_GRADIENT",
    "OWN",
    "REGISTRY",
    "ZERO",
    "Facts",
    "Formula",
    "Joint",
    "Op",
    "Zero",
    "evaluated",
    "op",
    "replaced",
    "replan",
]

Interval = tuple[float, float]

REGISTRY: Final[dict[str, "Op"]] = {}
"""Every op by its name: the judged ones and those that only formulas use."""

ZERO: Final = Zero("ZERO")
"""The derivative is zero everywhere: the input gets a gradient of zeros."""
NO_GRADIENT: Final = Zero("NO_GRADIENT")
"""Not a differentiable input: it gets no gradient, and does not make the result require one."""

FLOAT: Final = "float"
"""Operands are promoted together, integers to float32: exp, div."""
COMMON: Final = "common"
"""Operands are promoted together, integers stay integers: mul, where."""
OWN: Final = "own"
"""Each operand keeps its dtype: sum, mm."""
MOVES: Final = "moves"
"""Elements are moved, never computed with, and a view stays a view: reshape, cat."""


@dataclass(frozen=True)
class Facts:
    """What is true of a function whoever judges it.

    meaning: its definition. Text over the op's inputs and settings for an elementwise op; for another, a
        callable over simpler ops that takes the op's inputs and settings by name; None where elements are
        only moved, or where the op is itself elementary.
    domain: per input, the open interval on which the function is defined and smooth; absent: all reals.
    kinks: per input, the points at which the derivative is a convention.
    poles: per input, the points inside the domain at which the function has no value.
    """

    meaning: str | Callable[..., Any] | None = None
    domain: Mapping[str, Interval] = field(default_factory=dict)
    kinks: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    poles: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


class _Probe:
    """An operand that says which ufunc it was given to."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **settings: Any) -> Any:
        return (ufunc, inputs) if method == "__call__" and not settings else NotImplemented


class Op:
    """An evaluation and its formulas; see the module. Made by the decorator `op`.

    Called on arrays it returns what its evaluation returns; auxiliary results are left out of a call, and
    several outputs come as a tuple.
    """

    __slots__ = (
        "aux",
        "binding",
        "direct",
        "dtypes",
        "evaluate",
        "facts",
        "frame",
        "has_formula",
        "many",
        "name",
        "node",
        "node_class",
        "outputs",
        "plans",
        "promoted",
        "quick",
        "short_plans",
        "simple",
        "single",
        "view",
    )  # fmt: skip

    def __init__(
        self,
        evaluate: Callable[..., Any],
        facts: Facts,
        formulas: Mapping[str, Formula | Zero | Joint],
        *,
        outputs: tuple[str, ...] = ("y",),
        aux: tuple[str, ...] = (),
        dtypes: str | None = None,
        node: str | None = None,
        many: bool = False,
        view: bool = False,
    ) -> None:
        self.many = many
        self.view = view
        self.name = evaluate.__name__.rstrip("_")
        self.evaluate = evaluate
        self.facts = facts
        self.outputs, self.aux = outputs, aux
        self.dtypes = dtypes or (FLOAT if isinstance(facts.meaning, str) else OWN)
        self.node = node or "".join(part.capitalize() for part in self.name.split("_")) + "Backward0"
        self.frame = Frame.of(self.name, evaluate, outputs, aux)
        self.direct = evaluate  # or a ufunc, once `find_ufunc` has been called
        self.node_class: Any = None  # made by the graph on first need
        self.quick: Callable[..., Any] | None = None  # made by `refgrad.record` on first need
        self.rebind(formulas)

    def __call__(self, *inputs: Any, **settings: Any) -> Any:
        """Apply the op: with NumPy to arrays, else as the first operand with `__apply_op__` decides."""
        for x in inputs:
            if type(x) is not ndarray:
                answer = getattr(type(x), "__apply_op__", None)
                if answer is not None:
                    return answer(self, inputs, settings)
        result = self.evaluate(*inputs, **settings)
        if not self.aux:
            return result
        return result[0] if len(self.outputs) == 1 else result[: len(self.outputs)]

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join([*self.inputs, *self.settings])})>"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the tensor inputs; a single name when `lists`."""
        return self.frame.inputs

    @property
    def lists(self) -> bool:
        """Whether the op takes any number of tensors, as cat does."""
        return self.frame.lists

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings and their defaults; `inspect.Parameter.empty` for one without."""
        return self.frame.settings

    @property
    def formulas(self) -> Mapping[str, Formula | Zero | Joint]:
        """The formula of each input."""
        return self.binding.formulas

    @property
    def differentiable(self) -> tuple[str, ...]:
        """The inputs that can get a gradient."""
        return tuple(name for name, formula in self.formulas.items() if formula is not NO_GRADIENT)

    def rebind(self, formulas: Mapping[str, Formula | Zero | Joint]) -> None:
        """Take these formulas from now on, after checking every name they mention."""
        self.binding: Binding = bind(self.name, self.frame, formulas, NO_GRADIENT)
        self.has_formula = tuple(formulas[name] is not NO_GRADIENT for name in self.inputs)
        self.promoted = self.has_formula if any(self.has_formula) else (True,) * len(self.inputs)
        each = all(rule.places is None for rule in self.binding.rules)  # no list, no joint formula
        alone = len(self.outputs) == 1 and not self.aux and not self.many and not self.view
        alone = alone and each and all(self.has_formula)
        self.single = alone and len(self.inputs) == 1  # what `refgrad.record` can apply without detours
        self.simple = alone and len(self.inputs) == 2 and self.dtypes in (COMMON, FLOAT)
        self.plans: dict[int, Plan] = {}
        masks = 2 if self.single else 4 if self.simple else 0
        self.short_plans = tuple(
            self.plan(mask or 1) for mask in range(masks)
        )  # by mask, for `refgrad.quick`

    @property
    def plain(self) -> bool:
        """Whether a call on arrays is a call of `direct`: one output, and no settings."""
        return len(self.outputs) == 1 and not (self.aux or self.many or self.lists or self.settings)

    def find_ufunc(self) -> None:
        """Let `direct` be the very ufunc, where the evaluation at default settings is no more than a call of one."""
        operands = tuple(_Probe() for _ in self.inputs)
        try:
            answer = self.evaluate(*operands)
        except (AttributeError, TypeError):  # it asks of an operand more than a ufunc does
            return
        if type(answer) is tuple and answer[1:] == (operands,):
            self.direct = answer[0]

    def plan(self, mask: int) -> Plan:
        """What to save and run when the inputs at the bits of `mask` require grad."""
        found = self.plans.get(mask)
        if found is None:
            found = self.plans[mask] = self.binding.plan(mask)
        return found


class _Unary(Op):
    """An op of one tensor without settings: the same call, without the cost of packing arguments."""

    __slots__ = ()

    def __call__(self, x: Any) -> Any:
        if type(x) is not ndarray:
            answer = getattr(type(x), "__apply_op__", None)
            if answer is not None:
                return answer(self, (x,), {})
        return self.direct(x)


def op(
    *said: Facts | Joint,
    outputs: tuple[str, ...] = ("y",),
    aux: tuple[str, ...] = (),
    dtypes: str | None = None,
    node: str | None = None,
    many: bool = False,
    view: bool = False,
    **formulas: Formula | Zero,
) -> Callable[[Callable[..., Any]], Op]:
    """Declare an op over its NumPy evaluation. Facts and joint formulas come first, formulas by keyword.

    outputs, aux: the names of what the evaluation returns, outputs first.
    dtypes: FLOAT, COMMON, OWN or MOVES; by default FLOAT for an op with a textual meaning, else OWN.
    node: PyTorch's name of the node, where it is not derived from the op's.
    many: whether the evaluation returns a tuple of any length, as split does; formulas then take, in place of
        g, `gs`: the list of the outputs' cotangents.
    view: whether the outputs share the elements of the one input; those of any other op share with none.
    Raises TypeError, with a sentence, if names and formulas do not match or the name is taken.
    """
    facts = next((s for s in said if isinstance(s, Facts)), Facts())
    joints = {name: s for s in said if isinstance(s, Joint) for name in s.inputs}

    def declare(evaluate: Callable[..., Any]) -> Op:
        stated = {**joints, **formulas}
        kinds = [p.kind for p in signature(evaluate).parameters.values()]
        made_of = _Unary if kinds == [Parameter.POSITIONAL_OR_KEYWORD] and not aux else Op
        made = made_of(
            evaluate,
            facts,
            stated,
            outputs=outputs,
            aux=aux,
            dtypes=dtypes,
            node=node,
            many=many,
            view=view,
        )
        if REGISTRY.setdefault(made.name, made) is not made:
            raise TypeError(f"{made.name}: there is already an op of this name")
        return made

    return declare


@contextmanager
def replaced(target: Op, name: str, formula: Formula | Zero | Joint) -> Iterator[None]:
    """Within it `target` uses `formula` for its input `name`; a Joint replaces every input that it names."""
    before = dict(target.formulas)
    names = formula.inputs if isinstance(formula, Joint) else (name,)
    if name not in before:
        raise TypeError(f"{target.name}: there is no input {name!r} among {list(before)}")
    target.rebind({**before, **dict.fromkeys(names, formula)})
    try:
        yield
    finally:
        target.rebind(before)


@contextmanager
def evaluated(target: Op, evaluate: Callable[..., Any]) -> Iterator[None]:
    """Within it `target` computes its value with `evaluate`, which takes the same arguments."""
    before = target.evaluate, target.direct
    target.evaluate = target.direct = evaluate
    replan()
    try:
        yield
    finally:
        target.evaluate, target.direct = before
        replan()


def replan() -> None:
    """Make the plans of all ops anew: formulas for arrays hold the evaluations of the ops that they name."""
    for each in REGISTRY.values():
        each.rebind(each.formulas)
