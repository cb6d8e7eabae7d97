"""Rewriting a list of known failures from what a run found, every other byte of it as it was.

The file is cut into its entries and what stands between them; comments directly above an entry are its own. Only the
pieces that change are written anew, by tomlkit.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import String

from oracles.program import Case
from oracles.records import Finding, Known

HEADER = re.compile(r"^(?=[ \t]*\[\[)", re.MULTILINE)
UNWRITTEN = "# Write the reason; until then every run refuses this list."
AGAIN = "# This was {was}: see whether the reason still holds."

Key = tuple[str, str, str]


@dataclass
class Rewritten:
    """The new text of a list, and the ids of the entries that were added, updated and removed."""

    text: str
    added: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def relist(text: str, known: Iterable[Known], findings: Iterable[Finding], since: str) -> Rewritten:
    """The list with new findings added, changed entries updated, and healed ones removed.

    `text` is a list that reads without error. An entry that was not reached stays: that it
    goes is for a person to decide.
    """
    head, *rest = _pieces(text)
    entries, gaps = rest[0::2], rest[1::2]
    became = {_key(record): record for record in known}
    shown = {finding.id: finding for finding in findings}
    new = Rewritten("")
    keys = [_key_of(entry) for entry in entries]
    taken = {key for key in keys if key}
    done = [head]
    for entry, gap, key in zip(entries, gaps, keys, strict=True):
        record = became.get(key) if key else None
        kept = _kept(entry, record, shown, taken, new)
        if kept:
            done += [kept, gap]
        elif gap.strip():
            done.append(gap)
    text = "".join(done)
    for finding in shown.values():
        if _key(finding) not in taken:
            taken.add(_key(finding))
            new.added.append(finding.id)
            text = _apart(text) + _entry(finding, since)
    new.text = text
    return new


def _kept(
    entry: str, record: Known | None, shown: dict[str, Finding], taken: set[Key], new: Rewritten
) -> str:
    """What stands in the place of an entry; nothing where it is removed."""
    if record is None or record.status in ("fails as listed", "not reached"):
        return entry
    if record.status == "healed":
        taken.discard(_key(record))
        new.removed.append(record.id)
        return ""
    now = shown.get(record.now)
    if now is None:
        return entry
    if now.id != record.id:
        taken.discard(_key(record))
        if _key(now) in taken:
            new.removed.append(record.id)
            return ""
        taken.add(_key(now))
    new.updated.append(record.id)
    return _updated(entry, record, now)


def _key(record: Known | Finding) -> Key:
    return record.blame, record.argument, record.error


def _key_of(entry: str) -> Key | None:
    """What a known failure goes by; nothing for a clause, which no finding is about."""
    read = tomllib.loads(entry)
    if "known" not in read:
        return None
    (table,) = read["known"]
    return table["op"], table["argument"], table["error"]


def _pieces(text: str) -> list[str]:
    """What stands above the first entry, then each entry and what follows it, in turn; together they are the text."""
    starts = [match.start() for match in HEADER.finditer(text)]
    starts = [start for at, start in enumerate(starts) if not at or _whole(text[starts[0] : start])]
    cuts = [*starts, len(text)]
    found = [text[: cuts[0]]]
    for start, end in pairwise(cuts):
        last = len(found) - 1
        found[last], above = _above(found[last])
        entry, gap = _below(text[start:end])
        found += [above + entry, gap]
    return found


def _whole(text: str) -> bool:
    """Whether the text is TOML, so that what follows it stands in no string of it."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _above(gap: str) -> tuple[str, str]:
    """The gap without the comments at its very end, and these: they belong to what follows."""
    lines = gap.splitlines(keepends=True)
    cut = len(lines)
    while cut and lines[cut - 1].lstrip().startswith("#"):
        cut -= 1
    return "".join(lines[:cut]), "".join(lines[cut:])


def _below(text: str) -> tuple[str, str]:
    """The entry up to its last value, and the comments and empty lines under it."""
    lines = text.splitlines(keepends=True)
    cut = len(lines)
    while cut and (not lines[cut - 1].strip() or lines[cut - 1].lstrip().startswith("#")):
        cut -= 1
    return "".join(lines[:cut]), "".join(lines[cut:])


def _apart(text: str) -> str:
    """The text, ready for an entry under it."""
    if not text.strip():
        return text
    return text.rstrip("\r\n") + "\n\n"


def _entry(finding: Finding, since: str) -> str:
    table = tomlkit.table()
    table.add("op", finding.blame)
    table.add("argument", finding.argument)
    table.add("error", finding.error)
    table.add("reason", "")
    table.add("link", "")
    table.add("since", since)
    table.add("case", _spelled(finding.case))
    return f"{UNWRITTEN}\n[[known]]\n{table.as_string()}"


def _updated(entry: str, record: Known, now: Finding) -> str:
    document = tomlkit.parse(entry)
    table = document["known"][0]
    for key, value in (("op", now.blame), ("argument", now.argument), ("error", now.error)):
        if table[key] != value:
            table[key] = value
    table["case"] = _spelled(now.case)
    comment = "" if now.id == record.id else AGAIN.format(was=_plain(record)) + "\n"
    return comment + document.as_string()


def _plain(record: Known) -> str:
    where = f" of {record.argument}" if record.argument else ""
    return "".join(c if c.isprintable() else " " for c in f"{record.error}{where} in {record.blame}")


def _spelled(case: Case) -> String:
    """The case as JSON on one line, in a TOML string that needs no escapes if there can be one."""
    text = msgspec.json.encode(case).decode()
    try:
        return tomlkit.string(text, literal=True, multiline=True)
    except (TOMLKitError, ValueError):
        return tomlkit.string(text)
