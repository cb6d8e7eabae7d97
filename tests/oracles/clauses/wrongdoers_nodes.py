"""Wrongdoers on graph objects, anomaly detection and saved-tensor hooks, made of the engine."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import refgrad
from refgrad import anomaly, customsaved, modes, opnode, saved
from refgrad.tensor import Tensor

from .wrongdoers_kit import Wrongdoer, edited, swapped, wrongdoer

OBJECTS: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "nodes-of-another-class",
        "a grad_fn is of a class that autograd.graph does not know",
        swapped(refgrad.autograd.graph, Node=type("Node", (), {})),
        breaks="NO-1",
    ),
    wrongdoer(
        "constants-left-out",
        "next_functions leaves inputs out that require no grad",
        edited(
            opnode.OpNode.next_functions.fget,
            "self.edge(i) or (None, 0) for i in wanted",
            "self.edge(i) for i in wanted if self.edge(i)",
        ),
        breaks="NO-2",
    ),
    wrongdoer(
        "names-without-number",
        "a node's name ends in Backward",
        edited(opnode.OpNode.name, "self.op.node", 'self.op.node.rstrip("0123456789")'),
        breaks="NO-3 AN-1 AN-3 AN-4",
    ),
    wrongdoer(
        "metadata-forgotten",
        "a node's metadata are a new dict at each look",
        swapped(refgrad.graph.Node, metadata=property(lambda self: {})),
        breaks="NO-3 AN-3",
    ),
    wrongdoer(
        "inputs-saved-as-copies",
        "a saved input shows as another tensor",
        edited(
            opnode.OpNode.saved_value,
            "return held if isinstance(held, Tensor)",
            "return held.detach() if isinstance(held, Tensor)",
        ),
        breaks="NO-4",
    ),
    wrongdoer(
        "freed-is-none",
        "what was saved and freed reads as None",
        edited(opnode.OpNode.saved_value, "raise RuntimeError(FREED)", "return None"),
        breaks="NO-5",
    ),
    wrongdoer(
        "always-the-first-output",
        "output_nr is 0 for all outputs",
        swapped(Tensor, output_nr=property(lambda self: 0)),
        breaks="NO-6",
    ),
    wrongdoer(
        "nan-unnoticed",
        "anomaly detection does not look for nan",
        edited(anomaly.check_nan, "if not state.check_nan:", "if True:"),
        breaks="AN-1 AN-3 AN-4",
    ),
    wrongdoer(
        "nan-always-noticed",
        "check_nan=False is ignored",
        edited(anomaly.check_nan, "if not state.check_nan:", "if False:"),
        breaks="AN-2",
    ),
    wrongdoer(
        "traceback-not-kept",
        "no traceback of the forward pass is kept",
        edited(saved.show, "anomaly.remember(node)", "pass"),
        breaks="AN-3",
    ),
    wrongdoer(
        "no-word-of-the-forward",
        "nothing is said where no traceback of the forward pass was kept",
        swapped(anomaly, UNKNOWN=""),
        breaks="AN-4",
    ),
    wrongdoer(
        "detection-stays",
        "set_detect_anomaly as a context leaves detection on",
        edited(anomaly.set_detect_anomaly.__exit__, "set_anomaly_enabled(*self._before)", "pass"),
        breaks="AN-5",
    ),
    wrongdoer(
        "detection-in-silence",
        "detect_anomaly does not warn",
        edited(anomaly.detect_anomaly.__init__, "warnings.warn(\n", "(lambda *a, **k: None)(\n"),
        breaks="AN-6",
    ),
    wrongdoer(
        "all-outputs-needed",
        "an op of several outputs cannot be gone back through from one alone",
        edited(opnode.OpNode.answers, "if len(gs) > 1:", "if False:"),
        breaks="NO-6 ND-23",
    ),
)

SAVED: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "packed-twice",
        "pack runs twice for every tensor that is saved",
        edited(
            saved.pack,
            "value = hooks[0](t)",
            """
            value = hooks[0](t)
            value = hooks[0](t)
            """,
        ),
        breaks="SH-1 SH-3 SH-6 SH-8 SH-10 SH-11",
    ),
    wrongdoer(
        "rubbish-unpacked",
        "what unpack returns is not looked at",
        edited(saved.Packed.tensor, "if not isinstance(made, Tensor):", "if False:"),
        breaks="SH-2",
    ),
    wrongdoer(
        "outermost-hooks",
        "of nested pairs of hooks the outermost applies",
        edited(saved.show, "stack.pairs[-1]", "stack.pairs[0]"),
        breaks="SH-3",
    ),
    wrongdoer(
        "packing-writes",
        "a pack hook may write into its input",
        edited(saved.pack, "if version(t) != before:", "if False:"),
        breaks="SH-4",
    ),
    wrongdoer(
        "unpacked-constants",
        "what unpack returns is taken for a constant",
        edited(saved.placed, "if edge is None:", "if True:"),
        breaks="SH-5",
    ),
    wrongdoer(
        "packing-recorded",
        "pack hooks run with recording on",
        edited(saved.pack, "with no_grad():", "if True:"),
        breaks="SH-6",
    ),
    wrongdoer(
        "hooks-though-disabled",
        "hooks may be installed where they are disabled",
        edited(saved.saved_tensors_hooks.__enter__, "if stack.refusal is not None:", "if False:"),
        breaks="SH-7",
    ),
    wrongdoer(
        "disabled-under-hooks",
        "hooks may be disabled where they are installed",
        edited(saved.disable_saved_tensors_hooks, "if stack.pairs:", "if False:"),
        breaks="SH-7",
    ),
    wrongdoer(
        "registered-again",
        "a saved tensor takes a second pair of hooks",
        edited(saved.SavedTensor.register_hooks, "raise RuntimeError(TWICE)", "return"),
        breaks="SH-8",
    ),
    wrongdoer(
        "save-on-cpu-does-nothing",
        "save_on_cpu is no pair of hooks",
        swapped(refgrad.autograd.graph, save_on_cpu=nullcontext),
        breaks="SH-9",
    ),
    wrongdoer(
        "hooks-of-all-threads",
        "the hooks of one thread are those of all",
        swapped(saved, stack=SimpleNamespace(pairs=[], refusal=None)),
        edited(saved.saved_tensors_hooks.__enter__, "watch(1)", "watch_everywhere(True)"),
        edited(saved.saved_tensors_hooks.__exit__, "watch(-1)", "watch_everywhere(False)"),
        swapped(saved, watch_everywhere=modes.watch_everywhere),
        breaks="SH-10 SH-11",
    ),
    wrongdoer(
        "functions-unpacked",
        "what a custom Function saves passes no hook",
        edited(customsaved.kept, "if stack.pairs else", "if False else"),
        breaks="SH-11",
    ),
    wrongdoer(
        "very-tensor-reused",
        "what unpack returns is shown as it is",
        edited(saved.Packed.tensor, "return placed(", "return made if made.requires_grad else placed("),
        breaks="SH-12",
    ),
    wrongdoer(
        "packed-results-as-constants",
        "a result that was packed is a constant when gradients are differentiated",
        edited(saved.Packed.tensor, "if self.output is not None", "if False"),
        breaks="SH-5",
    ),
    wrongdoer(
        "registered-again-confused",
        "a second registration of hooks on a saved tensor raises for another reason",
        edited(saved.SavedTensor.register_hooks, "if isinstance(seen, Packed):", "if False:"),
        breaks="SH-8",
    ),
)
