"""The process that a subject runs in: `python -m oracles.worker --subject NAME --requests FD --replies FD`.

Requests arrive and replies leave as lines of JSON on two pipes of their own, so nothing that the subject
prints can mix with them. The worker says which request it begins before it begins, and ends when the pipe
closes.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import resource
import select
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from oracles import answers
from oracles.answers import (
    Broken,
    Envelope,
    Errored,
    Ready,
    Reply,
    Started,
    Text,
    Unsupported,
    Values,
    encode_line,
)
from oracles.arrays import DTYPES
from oracles.clauses.clause import clauses
from oracles.clauses.holding import shown
from oracles.histories.player import Player
from oracles.program import Step
from oracles.subjects import load
from oracles.subjects.laws import judge
from oracles.subjects.protocol import Lacking, Subject, SubjectError, WrongAnswer, recorded_outputs

LARGEST_FILE = 256 << 20


def main() -> None:
    """Serve one subject until the pipe closes."""
    options = _options()
    _confine(options.memory)
    threading.Thread(target=_end_with_parent, args=(options.requests,), daemon=True).start()
    lines = _lines(options.requests)
    for pipe in (options.requests, options.replies):
        os.set_inheritable(pipe, False)
    decode = msgspec.json.Decoder(Envelope).decode
    hello = decode(next(lines))
    assert isinstance(hello.body, answers.Hello)
    try:
        subject = load(options.subject)
        ready = _ready(subject, hello.body.ops)
    except BaseException as error:
        message = str(error) if isinstance(error, SubjectError) else f"{type(error).__name__}: {error}"
        _write(options.replies, Broken(message, _traceback(error.__cause__ or error)))
        return
    _write(options.replies, ready)
    for line in lines:
        request = decode(line)
        _write(options.replies, Started(request.request))
        _write(options.replies, answer(subject, request.body))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m oracles.worker", description=__doc__)
    parser.add_argument(
        "--subject", required=True, help="the name of a subject, or the path of a file that defines one"
    )
    parser.add_argument(
        "--requests", type=int, required=True, help="the file descriptor to read requests from"
    )
    parser.add_argument("--replies", type=int, required=True, help="the file descriptor to write replies to")
    parser.add_argument(
        "--memory", type=int, default=4 << 30, help="the most bytes of data the process may hold"
    )
    return parser.parse_args()


def _confine(memory: int) -> None:
    """Limits on memory and on what is printed, warnings once each, and NumPy silent about NaN."""
    faulthandler.enable()
    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_FSIZE, LARGEST_FILE)):
        hard = resource.getrlimit(what)[1]
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
    warnings.simplefilter("default")
    np.seterr(all="ignore")


def _end_with_parent(requests: int) -> None:
    """End the process when the other end of the pipe closes, even in the middle of a request."""
    poll = select.poll()
    poll.register(requests, 0)
    poll.poll()
    os._exit(0)


def _lines(source: int) -> Iterator[bytes]:
    with os.fdopen(source, "rb", closefd=False) as stream:
        yield from stream


def _write(sink: int, message: Any) -> None:
    rest = memoryview(encode_line(message))
    while rest:
        rest = rest[os.write(sink, rest) :]


def _ready(subject: Subject, ops: tuple[str, ...]) -> Ready:
    reasons = {op: subject.supports(Step(op, ())) for op in ops}
    return Ready(subject.name, subject.versions(), {op: reason for op, reason in reasons.items() if reason})


def answer(subject: Subject, request: Any) -> Reply:
    """The reply to a request, whatever the subject does."""
    try:
        return ANSWERS[type(request)](subject, request)
    except Lacking as error:
        return Unsupported(error.reason, error.op)
    except WrongAnswer as error:
        return Errored("wrong answer", str(error), _traceback(error))
    except NotImplementedError as error:
        return Unsupported(str(error) or "NotImplementedError")
    except BaseException as error:
        return Errored(type(error).__name__, str(error), _traceback(error))


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error, limit=-20))


def _judge(subject: Subject, request: answers.Judge) -> Reply:
    return judge(subject, request.case, request.laws)


def _evaluate(subject: Subject, request: answers.Evaluate) -> Reply:
    wanted = DTYPES[request.dtype]
    points = []
    for point in request.points:
        arrays = [a.numpy() for a in point]
        cast = [a if a.dtype.name in ("int64", "bool") else a.astype(wanted, copy=False) for a in arrays]
        found = subject.values(request.program, cast)
        points.append(recorded_outputs(found, [f"output {k}" for k in range(len(request.program.outputs))]))
    return Values(tuple(points))


def _differentiate(subject: Subject, request: answers.Differentiate) -> Reply:
    count = len(request.case.inputs)
    points = []
    for point in request.points:
        cotangents = point[count:] or request.case.cotangents
        case = msgspec.structs.replace(
            request.case, inputs=point[:count], cotangents=cotangents, order=1, seconds=()
        )
        points.append(subject.vjp(case).gradients)
    return Values(tuple(points))


def _print(subject: Subject, request: answers.Print) -> Reply:
    if not request.script:
        return Text(subject.code(request.case))
    return Text(subject.script(request.case, request.checks, request.message, request.raises))


def _hold(subject: Subject, request: answers.Hold) -> Reply:
    library = getattr(subject, "tape", None)
    if library is None:
        return Unsupported(f"the adapter of {subject.name} offers no tape")
    return shown(clauses()[request.clause], library)


_player: list[Player] = []


def _play(subject: Subject, request: answers.Play) -> Reply:
    library = getattr(subject, "tape", None)
    if not isinstance(library, ModuleType):
        return Unsupported(f"the adapter of {subject.name} offers no tape of PyTorch's shape")
    if request.fresh:
        for player in _player:
            player.close()
        _player[:] = [Player(library)]
    return _player[0].play(request.action)


ANSWERS: dict[type, Callable[[Subject, Any], Reply]] = {
    answers.Judge: _judge,
    answers.Evaluate: _evaluate,
    answers.Differentiate: _differentiate,
    answers.Print: _print,
    answers.Hold: _hold,
    answers.Play: _play,
}

if __name__ == "__main__":
    main()
