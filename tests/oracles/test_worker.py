from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from oracles.answers import Answer, Check, Died, Errored, Hung, Unsupported
from oracles.arrays import Array
from oracles.program import Case, Input, Program, Ref, Step
from oracles.remote import Remote
from oracles.subjects import available, load
from oracles.subjects.protocol import SubjectError, UnknownSubject

FILE = Path(__file__).with_name("misbehaving.py")
X, C = np.array([1.5, -2.0]), np.array([1.0, 3.0])


def square(name: str = "x", op: str = "mul", layout: str = "contiguous") -> Case:
    """The case y = x * x, its input called `name`."""
    operands = (Ref(0), Ref(0)) if op == "mul" else (Ref(0),)
    program = Program((Input(name, (2,), "float64", True, layout),), (Step(op, operands),), (1,))  # type: ignore[arg-type]
    return Case(program, (Array.of(X),), (Array.of(C),), "float64")


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    """One worker for all the misbehaviour here: it must survive, or be replaced."""
    with Remote(FILE, ops=("sum", "mul", "relu"), timeout=5.0) as started:
        yield started


@pytest.fixture(autouse=True)
def _behaves_afterwards(remote: Remote) -> Iterator[None]:
    """Whatever a test did to the worker, the next case is answered as if nothing had happened."""
    yield
    answer = remote.judge(square())
    assert isinstance(answer, Answer)
    assert answer.gradients == (Array.packed(2 * X * C),)
    assert answer.outputs == (Array.packed(X * X),)
    assert (answer.changed, answer.repeated, answer.scaled) == ((), True, True)


def test_ready_says_what_there_is(remote: Remote) -> None:
    """The handshake names the subject, its versions and each op that it lacks, with a reason."""
    assert remote.ready.name == "misbehaving"
    assert remote.ready.versions == {"numpy": np.__version__}
    assert remote.ready.unsupported == {"relu": "misbehaving has no relu"}


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("raises", "ZeroDivisionError", "division by zero"),
        ("quits", "SystemExit", "4"),
        ("recurses", "RecursionError", "recursion"),
        ("allocates", "MemoryError", "100. GiB"),
        ("text", "wrong answer", "gradient of text is a str, not an array"),
        ("number", "wrong answer", "gradient of number is a float, not an array"),
        ("object", "wrong answer", "gradient of object has dtype object"),
    ],
)
def test_an_error_is_an_answer(remote: Remote, name: str, kind: str, message: str) -> None:
    """What the subject raises, or returns for an array, comes back with its type, message and traceback."""
    answer = remote.judge(square(name))
    assert isinstance(answer, Errored)
    assert answer.type == kind
    assert message in answer.message
    assert "Traceback" in answer.traceback
    assert len(answer.traceback) < 20_000


@pytest.mark.parametrize(
    ("name", "gradient"),
    [
        ("shape", (2 * X * C)[:1]),
        ("dtype", (2 * X * C).astype("float32")),
        ("nan", X * np.nan),
        ("none", None),
    ],
)
def test_a_wrong_array_passes_as_it_is(remote: Remote, name: str, gradient: np.ndarray | None) -> None:
    """A wrong shape, a wrong dtype, NaN and None reach the judge exactly as the subject gave them."""
    answer = remote.judge(square(name))
    assert isinstance(answer, Answer)
    assert answer.gradients == (None if gradient is None else Array.packed(gradient),)


def test_a_hang_is_ended(remote: Remote) -> None:
    """A subject that does not answer in time is killed, and the time is told."""
    before, begun = remote.restarts, time.monotonic()
    remote.timeout = 0.5
    answer = remote.judge(square("hangs"))
    remote.timeout = 5.0
    assert isinstance(answer, Hung)
    assert answer.seconds == 0.5
    assert time.monotonic() - begun < 3
    remote.start()
    assert remote.restarts == before + 1


@pytest.mark.parametrize(("name", "how"), [("exits", "exit code 3"), ("kills", "signal SIGKILL")])
def test_a_death_is_an_answer(remote: Remote, name: str, how: str) -> None:
    """A process that ends during a case is told with its exit code or signal, and its last words."""
    answer = remote.judge(square(name))
    assert isinstance(answer, Died)
    assert answer.how == how
    assert ("before the end" in answer.captured) == (name == "kills")


def test_printing_does_no_harm(remote: Remote) -> None:
    """A subject may print any amount of anything, and the answers are not touched."""
    for name in ("floods", "garbage"):
        answer = remote.judge(square(name))
        assert isinstance(answer, Answer)
        assert answer.gradients == (Array.packed(2 * X * C),)
    answer = remote.judge(square("boasts"))
    assert isinstance(answer, Errored)
    assert answer.captured == "x" * 3999 + "\n"


def test_what_is_lacking_is_unsupported(remote: Remote) -> None:
    """NotImplementedError, an op or a dtype that the subject lacks are no faults."""
    assert remote.judge(square("lacks")) == Unsupported("no such thing")
    assert remote.judge(square(op="relu")) == Unsupported("misbehaving has no relu", "relu")


def test_laws(remote: Remote) -> None:
    """A subject that writes into its inputs, changes its mind or ignores its cotangent is noticed, apart."""
    answers = {name: remote.judge(square(name)) for name in ("writes", "unsteady", "forgets", "clips")}
    found = {n: (a.changed, a.repeated, a.scaled) for n, a in answers.items() if isinstance(a, Answer)}
    assert found == {
        "writes": (("writes", "the cotangent"), True, True),
        "unsteady": ((), False, False),
        "forgets": ((), True, False),
        "clips": ((), True, False),
    }
    unasked = remote.judge(square("forgets"), laws=False)
    assert isinstance(unasked, Answer)
    assert (unasked.repeated, unasked.scaled) == (None, None)


def test_underflow_and_overflow_break_no_law(remote: Remote) -> None:
    """A gradient that is linear but for underflow or overflow on the way breaks no law."""
    answer = remote.judge(square("underflows"))
    assert isinstance(answer, Answer)
    assert answer.scaled is not False
    answer = remote.judge(square("overflows"))
    assert isinstance(answer, Answer)
    assert answer.scaled is not False
    answer = remote.judge(square("squeezes"))  # on the way to one element both: lifting it overflows
    assert isinstance(answer, Answer)
    assert answer.scaled is not False


def test_large_arrays_pass(remote: Remote) -> None:
    """A case far larger than a pipe holds goes there and comes back whole."""
    x = Array.of(np.arange(100_000.0))
    program = Program((Input("x", x.shape, "float64"),), (Step("mul", (Ref(0), Ref(0))),), (1,))
    answer = remote.judge(Case(program, (x,), (x,), "float64"))
    assert isinstance(answer, Answer)
    assert answer.gradients == (Array.packed(2 * x.numpy() ** 2),)


def test_an_interrupt_loses_the_worker_and_not_the_run(remote: Remote) -> None:
    """Ctrl-C while the parent waits is raised there, and the next request starts another worker."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            remote.judge(square("hangs"))
    finally:
        signal.signal(signal.SIGALRM, before)


def test_values_and_gradients_at_many_points(remote: Remote) -> None:
    """One request evaluates or differentiates at many points, in the dtype asked for."""
    points = [[X.astype("float32")], [X + 1]]
    values = remote.values(square().program, "float64", points)
    assert isinstance(values, list)
    assert [v[0].dtype for v in values] == [np.float64, np.float64]
    np.testing.assert_array_equal(values[1][0], (X + 1) ** 2)
    gradients = remote.gradients(square(), [[X], [X, C * 2]])
    assert isinstance(gradients, list)
    np.testing.assert_array_equal(gradients[1][0], 2 * gradients[0][0])  # type: ignore[operator, arg-type]
    assert isinstance(remote.gradients(square("raises"), [[X]]), Errored)


def test_a_users_subject_is_printed(remote: Remote, tmp_path: Path) -> None:
    """Code and scripts of a subject from a file contain its own `make_vjp` and run outside the project."""
    assert "x = numpy.array(" in remote.code(square())
    check = Check("gradient of x", tuple(repr(v) for v in (2 * X * C).tolist()), ("0", "0"))
    wrong = Check("gradient of x", ("3.0", "12.0"), ("0", "0"))
    env = {**os.environ, "PYTHONPATH": str(FILE.parents[2])}
    for expected, code in ((check, 0), (wrong, 1)):
        script = tmp_path / "script.py"
        script.write_text(remote.script(square(), [expected]))
        assert (
            subprocess.run([sys.executable, str(script)], env=env, timeout=60, check=False).returncode == code
        )
    assert remote.code(square(op="relu")).startswith("# this case cannot be printed: ")


def broken(path: Path, text: str) -> str:
    """What is said of a subject file that holds this text."""
    path.write_text(text)
    with pytest.raises(SubjectError) as caught, Remote(path, startup=20):
        pass
    return str(caught.value)


def test_a_broken_file_is_explained(tmp_path: Path) -> None:
    """Each way in which a subject file can be unusable is told: what is wrong, where, what was expected."""
    file = tmp_path / "mine.py"
    with pytest.raises(SubjectError, match="is not a file"), Remote(file):
        pass
    said = broken(file, "print('hello')\nraise RuntimeError('not today')\n")
    assert "RuntimeError: not today" in said
    assert "line 2" in said
    assert said.endswith("hello")
    assert "defines no `subject`" in broken(file, "x = 1\n")
    said = broken(file, "class S:\n    name = 's'\n    code = 1\nsubject = S()\n")
    assert "has no vjp (a method: the case's outputs and gradients" in said
    assert "has a code that is not a method" in said
    assert "ended with exit code 7" in broken(file, "import os\nos._exit(7)\n")
    assert "SyntaxError" in broken(file, "subject = (\n")


def test_loading_that_hangs_is_ended(tmp_path: Path) -> None:
    """A file that never finishes importing is an error after the time allowed for starting."""
    file = tmp_path / "slow.py"
    file.write_text("import time\ntime.sleep(60)\n")
    with pytest.raises(SubjectError, match="took over"):
        Remote(file, startup=1.5).start()


def test_names() -> None:
    """The project's own subjects are listed, and an unknown name is refused with that list."""
    assert available() == ("refgrad", "torch", "autograd", "jax", "mygrad", "tinygrad", "micrograd")
    with pytest.raises(UnknownSubject, match="refgrad, torch, autograd"):
        load("pytorch")
    with pytest.raises(SubjectError, match="no subject is called 'pytorch'"):
        Remote("pytorch").start()


def test_no_worker_outlives_its_parent(tmp_path: Path) -> None:
    """A parent that is killed in the middle of a case leaves no worker behind."""
    script = f"""
import sys
sys.path.insert(0, {str(FILE.parents[2])!r})
sys.path.insert(0, {str(FILE.parent)!r})
from test_worker import FILE, Remote, square
remote = Remote(FILE, timeout=60)
remote.start()
print(remote._process._popen.pid, flush=True)
remote.judge(square("hangs"))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(50):
        if not _lives(worker):
            return
        time.sleep(0.1)
    pytest.fail(f"worker {worker} still runs")


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
