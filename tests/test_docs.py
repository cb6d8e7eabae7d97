"""Every fenced block of the documents is run, and what it prints is what the document shows.

python     is executed, in order, in one namespace for each document; what it prints is compared where a text block
           marked `<!-- output -->` follows
console    holds commands after `$ `, run in an empty folder, and what they print; `...` stands for what varies
toml, json is parsed

`<!-- file: NAME -->` above a block writes it into that folder instead, and `<!-- not run: reason -->` excuses it.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("typer", reason="the documents use the command line")

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_RUN = 2
"""The two commands that set up a fresh machine."""
SESSION = """
import contextlib, io, json, sys, traceback
namespace = {"__name__": "__main__"}
for line in sys.stdin:
    printed = io.StringIO()
    failed = ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(json.loads(line), "<document>", "exec"), namespace)
        except BaseException:
            failed = traceback.format_exc()
    print(json.dumps([printed.getvalue(), failed]), flush=True)
"""


class BrokenError(AssertionError):
    """A block that does not do what its document says."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line on which it starts, and the comment above it."""

    language: str
    text: str
    line: int
    remark: str


def blocks(document):
    """The fenced blocks of a document, in order."""
    fence, remark, start, inside = None, "", 0, []
    for number, line in enumerate(document.splitlines(), 1):
        if fence is None and line.startswith("```"):
            fence, start, inside = line[3:].strip(), number, []
        elif line.startswith("```"):
            yield Block(fence, "".join(f"{text}\n" for text in inside), start, remark)
            fence, remark = None, ""
        elif fence is not None:
            inside.append(line)
        elif line.strip():
            comment = re.fullmatch(r"<!-- (.*) -->", line.strip())
            remark = comment[1] if comment else ""


def pattern(expected):
    """What matches the output that a document shows: `...` stands for a part of a line, or alone for any lines."""
    lines = [".*".join(map(re.escape, line.rstrip().split("..."))) + r"\n" for line in expected.splitlines()]
    return "".join("(?:.*\n)*?" if line == r".*\n" else line for line in lines)


class Reader:
    """Reads one document and does what it says, in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.printed = None
        self.code = 0
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self.environment = {**os.environ, "PATH": path, "COLUMNS": "200", "NO_COLOR": "1"}

    def read(self, document):
        """Run every block; the number of those that are excused."""
        self.session = subprocess.Popen(
            [sys.executable, "-c", SESSION],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=self.folder, env=self.environment,
        )  # fmt: skip
        try:
            return sum(self._block(block) for block in blocks(document))
        finally:
            self.session.communicate()

    def _block(self, block):
        if block.remark.startswith("not run: "):
            return True
        name = re.fullmatch(r"file: ([\w.-]+)", block.remark)
        if name:
            (self.folder / name[1]).write_text(block.text)
            return False
        run = getattr(self, f"_{block.language or 'plain'}", None)
        if run is None:
            raise BrokenError(f"line {block.line}: nothing says how to check a block of {block.language!r}")
        try:
            run(block)
        except (BrokenError, ValueError) as error:
            raise BrokenError(f"line {block.line}: {error}") from error
        return False

    def _python(self, block):
        self.session.stdin.write(json.dumps(block.text) + "\n")
        self.session.stdin.flush()
        self.printed, failed = json.loads(self.session.stdout.readline())
        if failed:
            raise BrokenError(failed)

    def _text(self, block):
        if block.remark != "output" or self.printed is None:
            raise BrokenError("this text block is not marked as the output of a python block above it")
        self._compare(block.text, self.printed)
        self.printed = None

    def _console(self, block):
        for chunk in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
            command, _, expected = chunk.partition("\n")
            if command == "echo $?":
                self._compare(expected, f"{self.code}\n")
                continue
            words = shlex.split(command)
            if words[0] not in ("refgrad", "python"):
                raise BrokenError(f"only refgrad and python are run, not {words[0]}")
            done = subprocess.run(
                words, cwd=self.folder, env=self.environment, text=True, check=False, timeout=300,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self.code = done.returncode
            if expected:
                self._compare(expected, done.stdout)
            elif done.returncode not in (0, 1):
                raise BrokenError(f"{command} left with {done.returncode}:\n{done.stdout}")

    def _compare(self, expected, got):
        if not re.fullmatch(pattern(expected), "".join(f"{line.rstrip()}\n" for line in got.splitlines())):
            raise BrokenError(f"expected\n{expected}\ngot\n{got}")

    def _toml(self, block):
        tomllib.loads(block.text)

    def _json(self, block):
        for line in block.text.splitlines():
            json.loads(line)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_do_what_they_say(path, tmp_path):
    """Every block of the document runs and prints what the document shows."""
    Reader(tmp_path).read(path.read_text())


def test_only_the_commands_for_a_fresh_machine_are_not_run():
    """No block but the README's two commands is excused."""
    excused = [
        (path.name, block.text)
        for path in DOCUMENTS
        for block in blocks(path.read_text())
        if block.remark.startswith("not run: ")
    ]
    assert [name for name, _ in excused] == ["README.md"] * NOT_RUN
    assert all(text.startswith("python3 -m venv .venv && ") and text.count("\n") == 1 for _, text in excused)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_to_files(path):
    """Every relative link and picture of the document exists, and so does the heading that it points to."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name) if name else path
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings], target


BROKEN = {
    "python that raises": "```python\n1 / 0\n```",
    "python that prints something else": "```python\nprint(2)\n```\n<!-- output -->\n```text\n3\n```",
    "a name from nowhere": "```python\na = 1\n```\n\n```python\nprint(b)\n```",
    "text that is nobody's output": "```text\n3\n```",
    "a command that does not exist": "```console\n$ refgrad judge torch\n```",
    "a command that prints something else": "```console\n$ refgrad ops --help\nnothing of the kind\n```",
    "another exit code": "```console\n$ refgrad check nobody\n...\n$ echo $?\n0\n```",
    "another program": "```console\n$ rm -r .\n```",
    "toml that is none": "```toml\na = \n```",
    "json that is none": "```json\n{'a': 1}\n```",
    "a language that nobody checks": "```yaml\na: 1\n```",
}


@pytest.mark.parametrize("document", BROKEN.values(), ids=BROKEN)
def test_a_broken_block_is_noticed(document, tmp_path):
    """Each way in which a block can be wrong is seen."""
    with pytest.raises(BrokenError):
        Reader(tmp_path).read(document)


def test_a_right_document_is_accepted(tmp_path):
    """Blocks that do what they say pass, share a namespace, and see the files written above them."""
    document = (
        "<!-- file: two.txt -->\n```text\n2\n```\n\n```python\nfrom pathlib import Path\n```\n\n"
        "```python\nprint(1)\nprint(Path('two.txt').read_text())\n```\n<!-- output -->\n```text\n1\n...\n```\n\n"
        "```console\n$ refgrad check nobody\nrefgrad: unknown subject...\n$ echo $?\n2\n```\n"
    )
    assert Reader(tmp_path).read(document) == 0


def test_the_records_of_the_documents_are_records():
    """Every JSON line of docs/run-files.md reads as a record, and every kind but the long one is shown."""
    msgspec = pytest.importorskip("msgspec")
    from oracles.records import Accuracy, Convention, Failure, Finding, Footer, Header, Judged, Known, Record

    document = (ROOT / "docs/run-files.md").read_text()
    lines = [
        line for block in blocks(document) if block.language == "json" for line in block.text.splitlines()
    ]
    kinds = {type(msgspec.json.decode(line, type=Record)) for line in lines}
    assert kinds == {Header, Judged, Known, Convention, Failure, Footer}
    for long in (Finding, Accuracy):
        assert f"**{long.__struct_config__.tag}**" in document
