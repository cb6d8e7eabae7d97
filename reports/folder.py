"""A run's output folder: the run file, and the pages made from it."""

from __future__ import annotations

import contextlib
from pathlib import Path

from reports import html, junit, markdown
from reports.stream import cannot_write
from reports.summary import Summary

PAGES = {"report.html": html.render, "junit.xml": junit.render, "summary.md": markdown.render}


def write_pages(summary: Summary, folder: Path) -> tuple[Path, ...]:
    """Make every page of the run in the folder, each replaced whole, never half written.

    Raises:
        ReportError: the system refuses to write.
    """
    return tuple(write_whole(folder / name, render(summary)) for name, render in PAGES.items())


def write_whole(path: Path, text: str) -> Path:
    """Write the file whole or not at all.

    Raises:
        ReportError: the system refuses to write.
    """
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(text, encoding="utf-8", newline="\n")
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return path
