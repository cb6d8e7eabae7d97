"""Text from elsewhere, made harmless and short enough to show.

Names and messages in a run come from the subject, so they may hold anything. Each page escapes for its own
format; what all pages share is here: characters that hide, reorder or control are shown as Python's escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Controls except newline and tab, soft hyphen, zero-width and bidirectional marks, tags, surrogates.
UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)

LINK = re.compile(r"https?://[A-Za-z0-9.~:/?#@!$&*+,;=%_-]+")


def is_link(text: str) -> bool:
    """Whether the text is a web address that every page may link to: nothing in it can end or run anything."""
    return LINK.fullmatch(text) is not None


def plain(text: str) -> str:
    r"""The text with every character that cannot be seen spelled out, as `\x1b`; lines stay lines."""
    return UNSHOWABLE.sub(_spelled, text.replace("\r\n", "\n"))


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def clip(text: str, limit: int) -> str:
    """The text, or its beginning and how much was left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … ({len(text) - limit:,} more characters)"


def line(text: str, limit: int = 300) -> str:
    """The text on one line, harmless and no longer than about `limit`."""
    return clip(" ".join(plain(text).split()), limit)


def number(count: int, singular: str, plural: str = "") -> str:
    """A count with its noun: `1 case`, `12,345 cases`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(words: Iterable[str]) -> str:
    """Words as English lists them: `a`, `a and b`, `a, b and c`."""
    *others, last = list(words) or [""]
    return f"{', '.join(others)} and {last}" if others else last
