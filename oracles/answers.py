"""What passes between a run and a worker: requests one way, replies the other, as lines of JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from oracles.arrays import Array
from oracles.histories.action import Action, Observed
from oracles.program import Case, DType, Program
from oracles.records import Holding


class Answer(msgspec.Struct, frozen=True, tag_field="is", tag="answer", omit_defaults=True):
    """A subject's answer to a case.

    `outputs` are the program's outputs and `gradients` one array for each differentiated input, None where
    the subject says that there is no gradient. At order 2, `seconds` are the gradients of sum(gradients *
    case.seconds) with respect to each differentiated input and `second_cotangents` the same with respect to
    each cotangent.

    `changed` names the inputs and cotangents that the subject wrote into. `repeated` says whether a second
    call gave the same bytes, and `scaled` whether the cotangent times -2 gave the gradient times -2,
    underflow and overflow aside; both are None where nobody looked or nothing could be told.
    """

    outputs: tuple[Array, ...]
    gradients: tuple[Array | None, ...]
    seconds: tuple[Array | None, ...] = ()
    second_cotangents: tuple[Array | None, ...] = ()
    changed: tuple[str, ...] = ()
    repeated: bool | None = None
    scaled: bool | None = None

    def labelled(self, case: Case) -> dict[str, Array | None]:
        """Every array of the answer under its name in records, such as "gradient of x"."""
        named: dict[str, Array | None] = dict(zip(labels(case, "outputs"), self.outputs, strict=False))
        for part in ("gradients", "seconds", "second_cotangents"):
            named.update(zip(labels(case, part), getattr(self, part), strict=False))
        return named


def labels(case: Case, part: str) -> list[str]:
    """The names in records of the arrays of one part of an `Answer`, such as "gradient of x"."""
    if part == "gradients":
        return [f"gradient of {i.name}" for i in case.program.inputs if i.requires_grad]
    if part == "seconds":
        return [f"second-order gradient of {i.name}" for i in case.program.inputs if i.requires_grad]
    outputs = range(len(case.program.outputs))
    if part == "outputs":
        return [f"output {k}" for k in outputs]
    return [
        f"gradient of the cotangent {k}" if len(outputs) > 1 else "gradient of the cotangent" for k in outputs
    ]


def expected_forms(case: Case) -> dict[str, tuple[tuple[int, ...], str]]:
    """The shape and dtype that every array of an answer must have: those of what it is the gradient of."""
    leaves = [
        (case.program.inputs[n].shape, case.program.inputs[n].dtype) for n in case.program.differentiated
    ]
    results = [(c.shape, c.dtype) for c in case.cotangents]
    forms: dict[str, tuple[tuple[int, ...], str]] = {}
    for part, models in (("outputs", results), ("gradients", leaves)):
        forms.update(zip(labels(case, part), models, strict=True))
    if case.order == 2:
        for part, models in (("seconds", leaves), ("second_cotangents", results)):
            forms.update(zip(labels(case, part), models, strict=True))
    return forms


class Values(msgspec.Struct, frozen=True, tag_field="is", tag="values"):
    """For each point asked for, its arrays: the outputs (`Evaluate`), or the gradients (`Differentiate`)."""

    points: tuple[tuple[Array | None, ...], ...]


class Text(msgspec.Struct, frozen=True, tag_field="is", tag="text"):
    """Code or a script, as asked for."""

    text: str


class Held(msgspec.Struct, frozen=True, tag_field="is", tag="held", omit_defaults=True):
    """What became of a clause: `expected` and `got` where it is violated, else a `reason` where there is one.

    `lines` is what was run, in the library's own words where these are not the clause's; `script` shows it with the
    library alone.
    """

    outcome: Holding
    expected: str = ""
    got: str = ""
    reason: str = ""
    lines: str = ""
    script: str = ""


class Unsupported(msgspec.Struct, frozen=True, tag_field="is", tag="unsupported"):
    """The subject's library lacks something that the case needs; `op` names the step to blame, if any."""

    reason: str
    op: str = ""


class Errored(msgspec.Struct, frozen=True, tag_field="is", tag="errored"):
    """The subject raised, or answered with something that is not an array (`type` is then "wrong answer")."""

    type: str
    message: str
    traceback: str = ""
    captured: str = ""


class Died(msgspec.Struct, frozen=True, tag_field="is", tag="died"):
    """The worker's process ended during the case: `how` is "exit code 3" or "signal SIGKILL"."""

    how: str
    captured: str = ""


class Hung(msgspec.Struct, frozen=True, tag_field="is", tag="hung"):
    """The worker had not answered after this many seconds and was killed."""

    seconds: float
    captured: str = ""


Failed = Unsupported | Errored | Died | Hung


class Ready(msgspec.Struct, frozen=True, tag_field="is", tag="ready"):
    """The subject is loaded. `unsupported` maps each op that was asked about and is lacking to the reason."""

    name: str
    versions: dict[str, str]
    unsupported: dict[str, str]


class Broken(msgspec.Struct, frozen=True, tag_field="is", tag="broken"):
    """The subject could not be loaded; the worker ends after saying so."""

    message: str
    traceback: str = ""


class Started(msgspec.Struct, frozen=True, tag_field="is", tag="started"):
    """The worker begins the request with this number: whatever happens next, this request did it."""

    request: int


class Check(msgspec.Struct, frozen=True):
    """What a script compares: decimals for each element, row-major, of the array with this name in records.

    An `expected` of "nan", "inf" or "-inf" asks for just that, and an `allowed` of "inf" for nothing. `shape`
    and `dtype` are compared where they are given, and the elements where there are any.
    """

    argument: str
    expected: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    dtype: str = ""


class Hello(msgspec.Struct, frozen=True, tag_field="is", tag="hello"):
    """Load the subject; answered by `Ready` or `Broken`."""

    ops: tuple[str, ...] = ()


class Judge(msgspec.Struct, frozen=True, tag_field="is", tag="judge"):
    """Differentiate a case; with `laws`, also repeat it and scale its cotangent. Answered by `Answer`."""

    case: Case
    laws: bool


class Evaluate(msgspec.Struct, frozen=True, tag_field="is", tag="evaluate"):
    """Run a program forward at several points, floating inputs as `dtype`. Answered by `Values`."""

    program: Program
    dtype: DType
    points: tuple[tuple[Array, ...], ...]


class Differentiate(msgspec.Struct, frozen=True, tag_field="is", tag="differentiate"):
    """First-order gradients of a case at several points. Answered by `Values`.

    A point holds one array for each input and, where more follow, one for each cotangent in place of the
    case's own.
    """

    case: Case
    points: tuple[tuple[Array, ...], ...]


class Print(msgspec.Struct, frozen=True, tag_field="is", tag="print"):
    """The case as code of the subject's library, or as a script where there are checks. Answered by `Text`.

    `message` is put at the script's head; `raises` names the exception that is the fault, if one is.
    """

    case: Case
    script: bool = False
    checks: tuple[Check, ...] = ()
    message: str = ""
    raises: str = ""


class Hold(msgspec.Struct, frozen=True, tag_field="is", tag="hold"):
    """Run the clause with this id. Answered by `Held`."""

    clause: str


class Play(msgspec.Struct, frozen=True, tag_field="is", tag="play"):
    """One step of a history; `fresh` begins a new one. Answered by `Observed`."""

    action: Action
    fresh: bool = False


Request = Hello | Judge | Evaluate | Differentiate | Print | Hold | Play
Reply = Ready | Broken | Answer | Values | Text | Held | Observed | Unsupported | Errored


class Envelope(msgspec.Struct, frozen=True):
    """A request with its number."""

    request: int
    body: Request


_encoder = msgspec.json.Encoder()


def encode_line(message: Any) -> bytes:
    """One message as one line of JSON."""
    return _encoder.encode(message) + b"\n"
