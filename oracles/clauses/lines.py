"""The lines of a clause's script as they come, with the blocks and functions that they stand in."""

from __future__ import annotations

import inspect
import threading
from typing import Any


class Lines:
    """The lines of a script as they come; threads that hold `alone` keep others' lines out of a block of their own."""

    def __init__(self) -> None:
        self.written: list[str] = []
        self.alone = threading.RLock()
        self._indent = 0
        self._count = 0
        self._opened: list[int] = []

    def add(self, text: str) -> None:
        """A statement."""
        with self.alone:
            self.written.append("    " * self._indent + text)

    def assign(self, text: str, letter: str) -> str:
        """An assignment to a new name, which is answered."""
        with self.alone:
            self._count += 1
            name = f"{letter}{self._count}"
            self.add(f"{name} = {text}")
        return name

    def has(self, function: str) -> bool:
        """Whether a function of this name is defined."""
        return any(line.lstrip().startswith(f"def {function}(") for line in self.written)

    def attempt(self, text: str) -> None:
        """A statement that raised."""
        with self.alone:
            self.add("try:")
            self.add(f"    {text}")
            self.add("except Exception as error:")
            self.add('    print(f"{type(error).__name__}: {error}")')

    def remark(self, text: str) -> None:
        """What PyTorch does, beside the line that prints what this library does."""
        if self.written and self.written[-1].lstrip().startswith("print(") and "  # " not in self.written[-1]:
            self.written[-1] += f"  # {text}"
        else:
            self.add(f"# {text}")

    def open(self, text: str) -> None:
        """The head of a block."""
        self.add(text)
        self._indent += 1
        self._opened.append(len(self.written))

    def close(self) -> None:
        """The end of a block."""
        if len(self.written) == self._opened.pop():
            self.add("pass")
        self._indent -= 1

    def define(self, decorator: str, name: str) -> None:
        """The head of a decorated function; what it assigns is global, as everything else is."""
        self.add(f"@{decorator}")
        self.open(f"def {name}():")

    def end(self, name: str) -> None:
        """The end of a function, and its call."""
        inside = self.written[self._opened[-1] :]
        assigned = [text.split(" = ")[0].strip() for text in inside if text.split(" = ")[0].strip().isalnum()]
        if assigned:
            self.written.insert(self._opened[-1], "    " * self._indent + f"global {', '.join(assigned)}")
        self.close()
        self.add(f"{name}()")


class Block:
    """A context manager of the library, which may decorate too."""

    def __init__(self, lines: Lines, manager: Any, text: str) -> None:
        self._lines, self._manager, self._text = lines, manager, text

    def __enter__(self) -> Any:
        entered = self._manager.__enter__()
        self._lines.open(f"with {self._text}:")
        return entered

    def __exit__(self, *raised: Any) -> Any:
        self._lines.close()
        return self._manager.__exit__(*raised)

    def __call__(self, function: Any) -> Any:
        """The function as the library decorates it."""
        decorated = self._manager(function)
        if isinstance(function, type) or inspect.isgeneratorfunction(function):
            self._lines.add(f"# what follows is called by {function.__name__}, which {self._text} decorates")
            return decorated

        def called(*arguments: Any, **settings: Any) -> Any:
            self._lines.define(self._text, function.__name__)
            try:
                return decorated(*arguments, **settings)
            finally:
                self._lines.end(function.__name__)

        return called
