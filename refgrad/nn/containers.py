"""Modules that hold other modules in order."""

from collections.abc import Iterable, Iterator
from typing import Any

from refgrad.nn.module import Module


class _InOrder(Module):
    """Modules under the names 0, 1, 2 and so on."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return self._of(dict(list(self._modules.items())[index]))
        held = list(self._modules.values())
        if not -len(held) <= index < len(held):
            raise IndexError(f"index {index} is out of range")
        return held[index]

    def _of(self, named: dict[str, Any]) -> Any:
        """One of its kind, of these modules."""
        made: Any = type(self)
        return made(named)

    def append(self, module: Module) -> Any:
        """Add a module at the end, and return itself."""
        self.add_module(str(len(self)), module)
        return self


class Sequential(_InOrder):
    """Modules of which each is given what the one before it returned; given a dict, under its names."""

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        one = modules[0] if len(modules) == 1 and isinstance(modules[0], dict) else None
        for name, module in one.items() if one is not None else enumerate(modules):
            self.add_module(str(name), module)

    def forward(self, input: Any) -> Any:
        """What the last module makes of what the others have made of `input`."""
        for module in self:
            input = module(input)
        return input


class ModuleList(_InOrder):
    """A list of modules, whose parameters are found."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def extend(self, modules: Iterable[Module]) -> "ModuleList":
        """Add modules at the end, and return itself."""
        for module in modules:
            self.append(module)
        return self

    def _of(self, named: dict[str, Any]) -> Any:
        return type(self)(named.values())

    def __repr__(self) -> str:
        """As `Module`'s, but neighbours that print alike are printed once, with their number."""
        runs: list[list[Any]] = []
        for place, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = place
            else:
                runs.append([place, place, text])
        if not runs:
            return f"{type(self).__name__}()"
        lines = [
            f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
            for first, last, text in runs
        ]
        inner = "\n".join(lines).replace("\n", "\n  ")
        return f"{type(self).__name__}(\n  {inner}\n)"
