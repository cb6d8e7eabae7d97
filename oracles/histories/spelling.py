"""A history as a script, the same for PyTorch and for any library of its shape but for one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oracles.histories.action import Action, History
from oracles.histories.verbs import VERBS

HEAD = '''"""{claim}

Every step is PyTorch code: run it with PyTorch and with {module}, and compare what is printed.
"""

import sys
import warnings

if "--pytorch" in sys.argv:
    import torch
else:
    {load}

warnings.simplefilter("ignore")
modes, handles = [], []


def look(*seen):
    print("a hook sees", seen)


def double(g):
    print("a hook doubles", g)
    return g * 2

'''


def script(history: History, raised: Mapping[int, str], module: str, found: Sequence[str]) -> str:
    """The script: with `--pytorch` it runs on PyTorch, else on the module of this name.

    raised: by step, the exception that PyTorch or the subject raised there.
    found: what differs after the last step, as sentences.
    """
    load = "import torch" if module == "torch" else f"import {module} as torch"
    claim = "After these steps PyTorch and the subject are not the same."
    lines = [HEAD.format(claim=claim, module=module, load=load)]
    for number, line in enumerate(spelled(history)):
        lines += _guarded(line, number) if number in raised else [line]
    return "\n".join(
        [*lines, *_shown(found), *(f"# {line}" for said in found for line in said.splitlines()), ""]
    )


def spelled(history: History) -> list[str]:
    """Each action as a line of code."""
    lines = []
    made = 0
    for action in history.actions:
        names = ", ".join(f"t{made + k}" for k in range(action.makes))
        made += action.makes
        lines.append(_assigned(names, action))
    return lines


def _assigned(names: str, action: Action) -> str:
    code = VERBS[action.verb].spell(action)
    comma = "," if action.verb == "grad" and action.makes == 1 else ""
    return f"{names}{comma} = {code}" if names else code


def _guarded(line: str, number: int) -> list[str]:
    return [
        "try:",
        f"    {line}",
        "except Exception as error:",
        f'    print("step {number}:", type(error).__name__)',
    ]


def _shown(found: Sequence[str]) -> list[str]:
    """Prints of what differs: of each tensor that a sentence is about, the part that it names."""
    lines = []
    for said in found:
        name, _, rest = said.partition(": ")
        part = rest.partition(":")[0]
        if name.startswith("t") and name[1:].isdigit() and part in SHOWN:
            lines.append(f'print("{name} {part}:", {SHOWN[part].format(name)})')
    return lines


SHOWN = {
    "shape": "{0}.shape",
    "dtype": "{0}.dtype",
    "values": "{0}",
    "requires_grad": "{0}.requires_grad",
    "is_leaf": "{0}.is_leaf",
    "node": "{0}.grad_fn",
    "inputs": "{0}.grad_fn.next_functions",
    "output_nr": "{0}.output_nr",
    "version": "{0}._version",
    "retains": "{0}.retains_grad",
    "inference": "{0}.is_inference()",
    "view": "{0}._is_view()",
    "grad": "{0}.grad",
    "grad_requires": "{0}.grad.requires_grad",
}
