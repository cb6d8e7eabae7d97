"""The parent's side of a worker: starts it, asks it, keeps its time, and outlives its death."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

import msgspec

from oracles.answers import (
    Answer,
    Broken,
    Check,
    Died,
    Differentiate,
    Envelope,
    Errored,
    Evaluate,
    Failed,
    Held,
    Hello,
    Hold,
    Hung,
    Judge,
    Play,
    Print,
    Ready,
    Reply,
    Request,
    Started,
    Text,
    Values,
    encode_line,
)
from oracles.arrays import Array
from oracles.histories.action import Action, Observed
from oracles.program import Case, DType, Program
from oracles.subjects.protocol import NDArray, SubjectError

CAPTURED = 4000
KEPT = 1 << 20
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_decode = msgspec.json.Decoder(Started | Reply).decode


class _Gone(Exception):
    """The worker closed its end of the pipes."""


class _Late(Exception):
    """The worker did not answer in time."""


class Process:
    """A running worker: its process, its two pipes, and the file that holds what it prints."""

    def __init__(self, subject: str, memory: int) -> None:
        requests, self._requests = os.pipe()
        self._replies, replies = os.pipe()
        os.set_blocking(self._requests, False)
        self._printed = tempfile.TemporaryFile("ab+", buffering=0)  # noqa: SIM115 - closed in `end`
        self._mark = 0
        self._buffer = b""
        command = [sys.executable, "-u", "-P", "-m", "oracles.worker", "--subject", subject]
        command += ["--requests", str(requests), "--replies", str(replies), "--memory", str(memory)]
        roots = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        try:
            self._popen = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=(requests, replies),
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(filter(None, roots))},
                start_new_session=True,
            )
        finally:
            os.close(requests)
            os.close(replies)
        _running.add(self)

    def send(self, line: bytes, deadline: float) -> None:
        """Write a line whole, and start capturing anew.

        Raises:
            _Gone: the worker has ended.
            _Late: it did not read in time.
        """
        size = os.fstat(self._printed.fileno()).st_size
        if size > KEPT:
            os.ftruncate(self._printed.fileno(), 0)
            size = 0
        self._mark = size
        rest = memoryview(line)
        while rest:
            try:
                rest = rest[os.write(self._requests, rest) :]
            except BlockingIOError:
                if not select.select([], [self._requests], [], max(0.0, deadline - time.monotonic()))[1]:
                    raise _Late from None
            except BrokenPipeError:
                raise _Gone from None

    def receive(self, deadline: float) -> Started | Reply:
        """The next message.

        Raises:
            _Gone: the worker has ended.
            _Late: nothing whole came in time.
        """
        while b"\n" not in self._buffer:
            if not select.select([self._replies], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise _Late
            some = os.read(self._replies, 1 << 16)
            if not some:
                raise _Gone
            self._buffer += some
        line, _, self._buffer = self._buffer.partition(b"\n")
        message: Started | Reply = _decode(line)
        return message

    def captured(self) -> str:
        """The end of what the worker printed since the last `send`."""
        size = os.fstat(self._printed.fileno()).st_size
        start = max(self._mark, size - CAPTURED)
        return os.pread(self._printed.fileno(), size - start, start).decode(errors="replace")

    def end(self) -> str:
        """Kill the worker and all that it started, free its pipes, and say how it had ended."""
        if self not in _running:
            return ""
        _running.discard(self)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(0.2 if self._replies_closed() else 0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        code = self._popen.wait()
        os.close(self._requests)
        os.close(self._replies)
        self._printed.close()
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def _replies_closed(self) -> bool:
        poll = select.poll()
        poll.register(self._replies, 0)
        return bool(poll.poll(0))


_running: weakref.WeakSet[Process] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for process in list(_running):
        process.end()


class Remote:
    """One worker and the subject in it; use it as a context manager.

    `subject` is a name or the path of a file, `ops` the ops to ask about at the start, `timeout` the seconds
    that a request may take, `startup` those that loading may take, and `memory` the most bytes that the
    process may hold. `ready` says what was loaded, and `restarts` how often the worker had to be started
    again.
    """

    def __init__(
        self,
        subject: str | Path,
        *,
        ops: Sequence[str] = (),
        timeout: float = 10.0,
        startup: float = 60.0,
        memory: int = 4 << 30,
    ) -> None:
        self.subject = subject
        self.timeout = timeout
        self.ready = Ready("", {}, {})
        self.restarts = -1
        self._ops = tuple(ops)
        self._startup = startup
        self._memory = memory
        self._process: Process | None = None
        self._number = 0

    def __enter__(self) -> Remote:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> Ready:
        """Start the worker, if none runs, and load the subject.

        Raises:
            SubjectError: the subject cannot be loaded; the message says why and ends with what it printed.
        """
        if self._process is not None:
            return self.ready
        where = str(self.subject.resolve()) if isinstance(self.subject, Path) else self.subject
        self._process = Process(where, self._memory)
        deadline = time.monotonic() + self._startup
        try:
            self._process.send(encode_line(Envelope(0, Hello(self._ops))), deadline)
            reply = self._process.receive(deadline)
        except (_Gone, _Late) as error:
            failure = self._fail(error, self._startup)
            said = (
                f"took over {self._startup} s" if isinstance(failure, Hung) else f"ended with {failure.how}"
            )
            raise SubjectError(f"{where}: loading it {said}\n{failure.captured}".rstrip()) from None
        if not isinstance(reply, Ready):
            captured = self._process.captured()
            self.close()
            broken = reply if isinstance(reply, Broken) else Broken(f"unexpected reply {reply!r}")
            raise SubjectError("\n".join(filter(None, (broken.message, broken.traceback, captured))).rstrip())
        self.ready = reply
        self.restarts += 1
        return reply

    def close(self) -> None:
        """End the worker. A later request starts it again."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def ask(self, body: Request, timeout: float | None = None) -> Reply | Died | Hung:
        """The worker's reply. If it dies or hangs, that is the reply, and the next request starts it again.

        Raises:
            SubjectError: the worker had to be started again and the subject could not be loaded.
        """
        limit = self.timeout if timeout is None else timeout
        for _ in range(2):  # a worker that ended between two requests did so before this one: ask again
            self.start()
            assert self._process is not None
            self._number += 1
            started = False
            deadline = time.monotonic() + limit
            try:
                self._process.send(encode_line(Envelope(self._number, body)), deadline)
                started = isinstance(self._process.receive(deadline), Started)
                return self._finished(self._process.receive(deadline))
            except (_Gone, _Late) as error:
                failure = self._fail(error, limit)
            except BaseException:
                self.close()  # interrupted between a request and its reply: the pipes no longer agree
                raise
            if started:
                break
        return failure

    def _finished(self, reply: Started | Reply) -> Reply:
        assert self._process is not None
        assert not isinstance(reply, Started)
        if isinstance(reply, Errored):
            return msgspec.structs.replace(reply, captured=self._process.captured())
        return reply

    def _fail(self, error: Exception, limit: float) -> Died | Hung:
        """End the process, and say what became of it."""
        assert self._process is not None
        captured = self._process.captured()
        how = self._process.end()
        self._process = None
        return Hung(limit, captured) if isinstance(error, _Late) else Died(how, captured)

    def judge(self, case: Case, laws: bool = True) -> Answer | Failed:
        """The subject's answer to a case; with `laws`, also whether it repeats and scales."""
        return self.ask(Judge(case, laws))  # type: ignore[return-value]

    def values(
        self, program: Program, dtype: DType, points: Sequence[Sequence[NDArray]]
    ) -> list[tuple[NDArray, ...]] | Failed:
        """The program's outputs at each point, a point being one array for each input."""
        reply = self.ask(Evaluate(program, dtype, _packed(points)))
        return _unpacked(reply) if isinstance(reply, Values) else reply  # type: ignore[return-value]

    def gradients(
        self, case: Case, points: Sequence[Sequence[NDArray]]
    ) -> list[tuple[NDArray | None, ...]] | Failed:
        """The case's first-order gradients at each point.

        A point is one array for each input and, if it is longer, one for each cotangent in place of the
        case's.
        """
        reply = self.ask(Differentiate(case, _packed(points)))
        return _unpacked(reply) if isinstance(reply, Values) else reply  # type: ignore[return-value]

    def hold(self, clause: str) -> Held | Failed:
        """What becomes of the clause with this id."""
        return self.ask(Hold(clause))  # type: ignore[return-value]

    def play(self, action: Action, fresh: bool = False) -> Observed | Failed:
        """What a step of a history comes to; a `fresh` one is the first of its history."""
        return self.ask(Play(action, fresh))  # type: ignore[return-value]

    def code(self, case: Case) -> str:
        """The case as code of the subject's library; a comment that says why, if it cannot be printed."""
        return _text(self.ask(Print(case)))

    def script(self, case: Case, checks: Sequence[Check], message: str = "", raises: str = "") -> str:
        """A script that needs only the library and NumPy; see `oracles.scripts.script`."""
        return _text(self.ask(Print(case, True, tuple(checks), message, raises)))


def _packed(points: Sequence[Sequence[NDArray]]) -> tuple[tuple[Array, ...], ...]:
    return tuple(tuple(Array.packed(a) for a in point) for point in points)


def _unpacked(values: Values) -> list[tuple[NDArray | None, ...]]:
    return [tuple(None if a is None else a.numpy() for a in point) for point in values.points]


def _text(reply: Reply | Died | Hung) -> str:
    if isinstance(reply, Text):
        return reply.text
    said = f"{type(reply).__name__}: {getattr(reply, 'message', '') or getattr(reply, 'reason', '')}".strip(
        ": "
    )
    return "".join(f"# {line}\n" for line in f"this case cannot be printed: {said}".splitlines())
