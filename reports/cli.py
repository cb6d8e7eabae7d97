"""The command `refgrad`: it parses, starts campaigns, streams what they yield, and says how it ended.

Exit codes: 0 agrees, 1 findings, 2 usage, 3 could not judge, 130 left on Ctrl-C. The judges are imported when
a command needs them, so that help and re-rendering answer at once.
"""

from __future__ import annotations

import re
import shlex
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from oracles.records import Failure, Farthest, Finding
from reports.accuracy import given_text
from reports.folder import write_pages, write_whole
from reports.interrupts import Interrupts, Leave
from reports.live import announced, live
from reports.stream import RUN_FILE, ReportError, Run, RunWriter, cannot_write, read_run
from reports.summary import Summary, summarize
from reports.text import line, number, plain

if TYPE_CHECKING:
    from oracles.campaign import Plan

AGREES, FINDINGS, USAGE, UNJUDGED, LEFT = 0, 1, 2, 3, 130
CODES = {
    "agrees": AGREES,
    "known": AGREES,
    "stale": FINDINGS,
    "differs": FINDINGS,
    "nothing judged": UNJUDGED,
}
STYLES = {
    "agrees": "bold green",
    "known": "bold green",
    "stale": "bold red",
    "differs": "bold red",
    "nothing judged": "bold yellow",
}
FOLDER = Path("refgrad-report")
UNITS = {"s": 1, "m": 60, "h": 3600}
DURATION = re.compile(r"(\d+(?:\.\d+)?)([smh])")

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Tells, with evidence, whether an implementation of automatic differentiation is right.",
)

OPTIONS: dict[str, Any] = {
    "--subject-file": None, "--ops": "", "--dtype": "", "--examples": None, "--for": "", "--seed": None, "--jobs": 1,
    "--known": None, "--only": "", "--out": FOLDER,
}  # fmt: skip
"""What `check` may be given, with what it takes by default, in the order in which a recorded command spells them."""

Folder = Annotated[Path, typer.Option("--out", metavar="DIR", help="The folder for the run and its report.")]
SubjectFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The Python file that defines the subject, if refgrad does not."),
]


def duration(text: str) -> float:
    """Seconds from a duration such as `30s`, `5m` or `1h30m`."""
    parts = DURATION.findall(text)
    seconds = sum(float(count) * UNITS[unit] for count, unit in parts)
    if "".join(count + unit for count, unit in parts) != text or not seconds > 0:
        raise typer.BadParameter(f"{text!r} is no duration; write one such as 30s, 5m or 1h30m")
    return seconds


def names(text: str) -> tuple[str, ...]:
    """The names in a list with commas, without repeats."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if "" in found:
        raise typer.BadParameter(
            f"{text!r} has an empty name; write names with commas between, such as add,mul"
        )
    return found


@app.command()
def check(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="The implementation to judge.")],
    subject_file: SubjectFile = None,
    ops: Annotated[str, typer.Option(metavar="ADD,MUL", help="Only these ops; all by default.")] = "",
    dtype: Annotated[str, typer.Option(metavar="FLOAT64,FLOAT32", help="Only these dtypes.")] = "",
    examples: Annotated[int | None, typer.Option(min=1, help="How many programs to draw.")] = None,
    time: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long to search: 30s, 5m.")] = "",
    seed: Annotated[int | None, typer.Option(min=0, help="Draw the same programs again.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="How many workers judge at once.")] = 1,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The list of known failures, in place of the one that comes along."
        ),
    ] = None,
    only: Annotated[
        str,
        typer.Option(metavar="PART", help="Only gradients, or only semantics: the clauses of the contract."),
    ] = "",
    fix: Annotated[bool, typer.Option("--fix", help="Rewrite that list from what the run finds.")] = False,
    out: Folder = FOLDER,
) -> None:
    """Judge SUBJECT, its gradients on small programs and its semantics by clauses; write run.jsonl and a report."""
    console = Console(highlight=False)
    with told():
        from oracles.campaign import plan_check

        plan = plan_check(
            subject,
            subject_file,
            names(ops) if ops else (),
            names(dtype) if dtype else (),
            examples,
            duration(time) if time else None,
            seed,
            jobs,
            _command(subject, subject_file, ops, dtype, examples, time, seed, jobs, known, only, out),
            known,
            fix,
            only,
        )
        with Interrupts() as interrupts, leaving(out):
            _stream(plan, out / RUN_FILE, console, interrupts)
            summary = summarize(read_run(out / RUN_FILE))
            write_pages(summary, out)
        code = _concluded(summary, out, console)
        if fix and plan.known_file is not None:
            _fix(summary, plan.known_file, console)
    raise typer.Exit(code)


def _command(*given: Any) -> str:
    """The command line that was given, spelled so that a shell reads it back; to do it again is not to --fix again."""
    subject, *values = given
    parts = ["refgrad", "check", subject]
    for (option, default), value in zip(OPTIONS.items(), values, strict=True):
        if value != default:
            parts += [option, str(value)]
    return shlex.join(parts)


def _stream(plan: Plan, path: Path, console: Console, interrupts: Interrupts) -> None:
    """Run the campaign to its end, or until it is told to stop, each record written before it is shown."""
    from oracles.campaign import CannotJudge, Progress, campaign

    with RunWriter(path) as writer, live(console) as display:
        items = campaign(plan, interrupts.stop)
        try:
            for item in interrupts.items(items):
                if isinstance(item, Progress):
                    display.progress(item)
                else:
                    writer.write(item)
                    display.record(item)
        except CannotJudge as error:
            if not writer.started:
                raise
            writer.write(Failure("the campaign", str(error)))


def _concluded(summary: Summary, out: Path, console: Console) -> int:
    """Say how the run ended and where its report is; the exit code says the same."""
    for notice in summary.notices:
        console.print(Text(plain(notice), "yellow"), soft_wrap=True)
    console.print(Text(plain(summary.sentence), STYLES[summary.conclusion]), soft_wrap=True)
    if summary.cases:
        console.print(Text(_counts(summary)), soft_wrap=True)
    console.print(Text(f"report: {out / 'report.html'}"), soft_wrap=True)
    console.print(Text(f"next:   {_next(summary, out)}"), soft_wrap=True)
    footer = summary.run.footer
    if CODES[summary.conclusion] == AGREES and (footer is None or footer.interrupted):
        return UNJUDGED if footer is None else LEFT
    return CODES[summary.conclusion]


def _fix(summary: Summary, path: Path, console: Console) -> None:
    """Rewrite the list of known failures from the run, and say what was done to it."""
    from oracles.relist import relist

    run = summary.run
    if run.footer is None or run.footer.interrupted or run.problems:
        console.print(Text(f"{path} was not rewritten: the run did not come to its end"), soft_wrap=True)
        return
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except OSError as error:
        raise cannot_write(path, error) from error
    since = run.header.versions.get(run.header.subject, "")
    new = relist(text, run.known, run.findings, since, run.clauses, run.histories)
    for word in ("added", "updated", "removed"):
        for id_ in getattr(new, word):
            console.print(Text(f"{path}: {word} {line(id_, 60)}"), soft_wrap=True)
    if new.text == text:
        console.print(Text(f"{path} is as it was"), soft_wrap=True)
        return
    write_whole(path, new.text)
    if new.added:
        console.print(Text(f"write their reasons into {path}: an empty one is refused"), soft_wrap=True)


def _counts(summary: Summary) -> str:
    cases, elements = number(summary.cases, "case"), number(summary.elements, "gradient element")
    return f"{cases}, {summary.judged:,} judged against enclosed truth, {elements} compared"


def _next(summary: Summary, out: Path) -> str:
    if summary.new:
        return line(summary.new[0].command)
    if summary.chapter.new or summary.chapter.new_histories:
        return f"{out / 'report.html'} shows what was run; `refgrad clauses` lists the contract"
    if summary.stale or summary.chapter.stale:
        return "correct the list of known failures, by hand or with --fix in a run on all ops"
    if CODES[summary.conclusion] == AGREES:
        command = line(summary.run.header.command, 1000)
        if not summary.cases:
            return f"refgrad check {line(summary.run.header.subject)} judges its gradients too"
        return f"{command} with more --examples or a longer --for searches further"
    return f"read the reasons and failures in {out / 'report.html'}"


@app.command()
def replay(
    id: Annotated[str, typer.Argument(metavar="ID", help="The id of a finding or of a worst error's case.")],  # noqa: A002
    out: Folder = FOLDER,
    run: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The run file; DIR/run.jsonl by default.")
    ] = None,
    subject_file: SubjectFile = None,
) -> None:
    """Judge one finding, or one worst error, again. Exits 0 if it is right, 1 if it fails, 3 if it cannot run."""
    console = Console(highlight=False)
    with told():
        path = run or out / RUN_FILE
        stored = _readable(path)
        found = _found(id, stored, path)
        given = stored.header.subject_file
        file = subject_file or (Path(given) if given else None)
        if isinstance(found, Finding):
            from oracles.campaign import replay as judge

            said, replayed = announced(found), judge(found, file)
        else:
            from oracles.campaign import replay_worst

            said, replayed = line(given_text(found)), replay_worst(found, file or stored.header.subject)
    console.print(Text(said), soft_wrap=True)
    console.print(Text(f"{replayed.status}: {plain(replayed.message)}"), soft_wrap=True)
    raise typer.Exit({"fixed": AGREES, "agrees": AGREES, "failed": FINDINGS}.get(replayed.status, UNJUDGED))


def _found(id: str, run: Run, path: Path) -> Finding | Farthest:  # noqa: A002
    findings = {finding.id: finding for finding in run.findings}
    worst = {error.id: error for record in run.accuracy for error in (record.worst, record.ulps) if error}
    if id in findings:
        return findings[id]
    if id not in worst:
        known = ", ".join(line(name, 60) for name in list(findings)[:10]) or "none"
        fail(USAGE, f"no finding {id!r} in {path}. It has: {known}.")
    return worst[id]


def _readable(path: Path) -> Run:
    """The run in this file; a file that cannot be read is a mistake in the command."""
    try:
        return read_run(path)
    except ReportError as error:
        fail(USAGE, str(error))


@app.command()
def report(
    run_file: Annotated[Path, typer.Argument(metavar="RUN_FILE", help="A run.jsonl, whole or cut off.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The folder for the report; the run file's own by default."),
    ] = None,
) -> None:
    """Make the report of a run again, from its run file. Exits 0 when it is made, whatever it says."""
    summary = summarize(_readable(run_file))
    folder = run_file.parent if out is None else out
    try:
        write_pages(summary, folder)
    except ReportError as error:
        fail(UNJUDGED, str(error))
    _concluded(summary, folder, Console(highlight=False))


@app.command()
def clauses() -> None:
    """Print the contract: every clause with its sentence and the page that states it."""
    from oracles.clauses.clause import clauses as every

    console = Console(highlight=False)
    topic = ""
    for clause in every().values():
        if clause.topic != topic:
            topic = clause.topic
            console.print(Text(topic, "bold"), soft_wrap=True)
        withdrawn = f" (withdrawn: {clause.withdrawn})" if clause.withdrawn else ""
        console.print(Text(f"  {clause.id:<6} {clause.sentence}{withdrawn}"), soft_wrap=True)
        console.print(Text(f"         {clause.page}", "dim"), soft_wrap=True)
    console.print(Text(number(len(every()), "clause")))


@app.command()
def ops() -> None:
    """Print the catalogue: every op with its signature, meaning, domain and kinks."""
    import refgrad
    from reports.catalogue import facts, signature

    console = Console(highlight=False)
    catalogue = refgrad.catalogue()
    for op in catalogue.values():
        console.print(Text(signature(op), "bold"), soft_wrap=True)
        for label, text in facts(op):
            console.print(Text(f"  {label:<8} {text}"), soft_wrap=True)
    console.print(Text(number(len(catalogue), "op")))


@contextmanager
def told() -> Iterator[None]:
    """Turn every expected error into a sentence on standard error and its exit code."""
    from oracles.campaign import CannotJudge, UsageError

    try:
        yield
    except UsageError as error:
        fail(USAGE, str(error))
    except (CannotJudge, ReportError) as error:
        fail(UNJUDGED, str(error))
    except KeyboardInterrupt:
        fail(LEFT, "stopped before anything was judged.")


@contextmanager
def leaving(out: Path) -> Iterator[None]:
    """Let the second Ctrl-C leave at once, and say what is left behind."""
    try:
        yield
    except (Leave, KeyboardInterrupt):
        path = out / RUN_FILE
        fail(LEFT, f"stopped at once. {path} holds what was recorded; see it with `refgrad report {path}`.")


def fail(code: int, message: str) -> NoReturn:
    """Say what is wrong and leave with this exit code."""
    Console(stderr=True, highlight=False).print(Text(f"refgrad: {plain(message)}"), soft_wrap=True)
    raise typer.Exit(code)


def main() -> None:
    """Run the command line. A fault of refgrad itself shows its traceback, and judges nobody."""
    try:
        app()
    except Exception:
        traceback.print_exc()
        print("refgrad: this is a fault of refgrad, not of the subject; please report it.", file=sys.stderr)
        sys.exit(UNJUDGED)


if __name__ == "__main__":
    main()
