"""Wrongdoers on custom functions, made of the engine."""

from __future__ import annotations

import refgrad
from refgrad import customctx, customjvp, customnode, function

from .wrongdoers_kit import Wrongdoer, edited, swapped, wrongdoer

FUNCTIONS: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "forward-recorded",
        "forward runs with recording on",
        edited(function.Function.apply.__func__, "with no_grad(), suspended():", "with suspended():"),
        breaks="CF-1 CF-8 CF-15",
    ),
    wrongdoer(
        "outputs-turned-round",
        "backward gets the gradients of the outputs in the reverse order",
        edited(
            function.run_backward,
            "return chosen(",
            """
            gs = gs[::-1]
            return chosen(
            """,
        ),
        breaks="CF-2 CF-10 CF-12 CF-21",
    ),
    wrongdoer(
        "no-gradient-too-many",
        "a None for an argument that forward does not have is refused",
        edited(customnode.FunctionNode._one_for_each, "if count > self.arguments and", "if False and"),
        breaks="CF-3",
    ),
    wrongdoer(
        "too-few-gradients",
        "where backward returns too few gradients, the others are taken for None",
        edited(
            customnode.FunctionNode._one_for_each,
            "if len(returned) != self.arguments:",
            """
            returned += (None,) * (self.arguments - count)
            if len(returned) != self.arguments:
            """,
        ),
        breaks="CF-3",
    ),
    wrongdoer(
        "tensors-need-grad",
        "needs_input_grad is True for every tensor",
        edited(
            function.Function.apply.__func__,
            "isinstance(x, Tensor) and x.requires_grad for",
            "isinstance(x, Tensor) for",
        ),
        breaks="CF-4",
    ),
    wrongdoer(
        "anything-saved",
        "what save_for_backward is given and is no tensor is dropped in silence",
        edited(
            function._kept,
            "raise TypeError(",
            """
            continue
            raise TypeError(
            """,
        ),
        breaks="CF-5",
    ),
    wrongdoer(
        "saved-unchecked",
        "saved_tensors does not ask whether one was written to",
        edited(customnode.Kept.unpacked, "check_tensor(self.tensor, self.since)", "pass"),
        breaks="CF-6",
    ),
    wrongdoer(
        "functions-never-freed",
        "what a custom Function saved is never freed",
        edited(customnode.FunctionNode.free, "self.ctx._forget(FREED)", "pass"),
        breaks="CF-7",
    ),
    wrongdoer(
        "dirty-as-another",
        "an input that is marked dirty comes back as another tensor",
        edited(function._attached, "if given and not dirty:", "if given:"),
        breaks="CF-8",
    ),
    wrongdoer(
        "dirty-not-returned",
        "an input that is marked dirty need not be returned",
        edited(function._wrapped, "if not dirty <= {id(y) for y in outputs}:", "if False:"),
        breaks="CF-9",
    ),
    wrongdoer(
        "dirty-leaves",
        "a leaf that requires grad may be marked dirty",
        edited(
            function._check_dirty,
            "if recorded and view is None and y.is_leaf and y.requires_grad:",
            "if False:",
        ),
        breaks="CF-9",
    ),
    wrongdoer(
        "differentiable-though-marked",
        "mark_non_differentiable does nothing",
        edited(function._wrapped, "id(y) in plain or", ""),
        breaks="CF-10",
    ),
    wrongdoer(
        "integers-recorded",
        "an output of integers requires grad",
        edited(function._wrapped, "or not is_continuous(y._array.dtype)", ""),
        breaks="CF-11",
    ),
    wrongdoer(
        "always-materialised",
        "set_materialize_grads(False) is ignored",
        edited(customnode.FunctionNode._given, "and self.ctx.materialize_grads", ""),
        breaks="CF-12 GC-8",
    ),
    wrongdoer(
        "never-materialised",
        "a gradient that never arrives reaches backward as None",
        edited(
            customnode.FunctionNode._given,
            "if g is None and tensor and self.ctx.materialize_grads:",
            "if False:",
        ),
        breaks="CF-10 CF-12 GC-1 GC-5 GC-6 GC-7 GC-9",
    ),
    wrongdoer(
        "once-as-often",
        "once_differentiable leaves backward as it is",
        swapped(refgrad.autograd.function, once_differentiable=lambda rule: rule),
        breaks="CF-13",
    ),
    wrongdoer(
        "backward-unrecorded",
        "backward runs with recording off, under create_graph too",
        edited(
            function.run_backward,
            "return chosen(",
            """
            with no_grad():
                return chosen(
            """,
        ),
        breaks="CF-13 CF-14 CF-15 GC-9",
    ),
    wrongdoer(
        "defaults-left-out",
        "setup_context does not see defaults among the inputs",
        edited(function.Function.apply.__func__, "bound.apply_defaults()", "pass"),
        breaks="CF-16",
    ),
    wrongdoer(
        "vjp-before-backward",
        "where there are both, vjp is used and backward is not",
        edited(
            function.run_backward,
            "if made.backward is not Function.backward and made.vjp is not Function.vjp:",
            "if False:",
        ),
        breaks="CF-17",
    ),
    wrongdoer(
        "numbers-have-tangents",
        "jvp gets a tangent of zeros for a number",
        edited(
            customjvp._given,
            "if tangent is None and isinstance(x, Tensor)",
            """
            if not isinstance(x, Tensor):
                return Tensor(np.zeros(()))
            if tangent is None
            """,
        ),
        breaks="CF-18",
    ),
    wrongdoer(
        "lists-tracked",
        "a tensor within a list makes the result require grad",
        edited(
            function.Function.apply.__func__,
            "isinstance(x, Tensor) and x.requires_grad for x in args",
            "any(isinstance(t, Tensor) and t.requires_grad for t in (x if isinstance(x, list) else [x])) for x in args",
        ),
        breaks="CF-19",
    ),
    wrongdoer(
        "input-as-it-is",
        "an input that forward returns as it is comes back as the same object, without a node",
        edited(
            function._attached,
            "if given and not dirty:",
            """
            if given and not dirty:
                return y
            if False:
            """,
        ),
        breaks="CF-20 GC-8",
    ),
    wrongdoer(
        "text-lost",
        "an output that is no tensor becomes None",
        edited(
            function._wrapped,
            """
            if not isinstance(y, Tensor):
                wrapped.append(y)
            """,
            """
            if not isinstance(y, Tensor):
                wrapped.append(None)
            """,
        ),
        breaks="CF-21",
    ),
    wrongdoer(
        "gradients-of-any-shape",
        "the shape of what backward returns is not looked at",
        edited(
            customnode.FunctionNode._check,
            "spare = len(found) - len(shape)",
            """
            return
            spare = 0
            """,
        ),
        breaks="CF-22",
    ),
    wrongdoer(
        "none-as-zeros-of-functions",
        "where backward returns None, the input receives zeros",
        edited(
            customnode.FunctionNode.answers,
            "yield edge, g",
            "yield edge, np.zeros(edge[0].metas[edge[1]][0], np.float32) if g is None else g",
        ),
        breaks="CF-23 GC-8",
    ),
    wrongdoer(
        "legacy-calls",
        "an instance of a Function is called as if it were a function",
        edited(
            function.Function.__call__,
            "raise RuntimeError(",
            """
            return self.forward(*args)
            raise RuntimeError(
            """,
        ),
        breaks="CF-24",
    ),
    wrongdoer(
        "instances-in-silence",
        "making an instance of a Function does not warn",
        edited(function.Function.__init__, "warnings.warn(\n", "(lambda *a, **k: None)(\n"),
        breaks="CF-24",
    ),
    wrongdoer(
        "kept-on-access",
        "clear_saved_tensors_on_access does nothing",
        edited(customctx.BackwardCFunction.saved_tensors.fget, "if found and", "if False and"),
        breaks="CF-25",
    ),
    wrongdoer(
        "never-boxed",
        "boxed_grads_call does nothing",
        edited(function.run_backward, "if made.boxed_grads_call else", "if False else"),
        breaks="CF-26",
    ),
    wrongdoer(
        "saved-for-backward-alone",
        "jvp sees nothing of what save_for_forward was given",
        edited(
            customctx.BackwardCFunction.saved_tensors.fget,
            "if self.saved_for_forward is not None:",
            "if False:",
        ),
        breaks="CF-27",
    ),
    wrongdoer(
        "applied-in-no-grad",
        "apply() leaves a node under no_grad too",
        edited(function._wrapped, "if mode.enabled and any(", "if any("),
        breaks="CF-28",
    ),
    wrongdoer(
        "views-of-functions-written",
        "a view that a custom Function returns may be written into",
        edited(function._forbid_writing, "if view is not None:", "if False:"),
        breaks="IP-12",
    ),
    wrongdoer(
        "gradients-for-numbers",
        "a gradient for a number is passed over in silence",
        edited(
            customnode.FunctionNode.answers, "if position not in self.places and g is not None:", "if False:"
        ),
        breaks="CF-2",
    ),
    wrongdoer(
        "saved-results-unchecked",
        "saved_tensors does not ask whether a result that was saved was written to",
        edited(customnode.Kept.unpacked, "check_tensor(made, self.since)", "pass"),
        breaks="CF-6",
    ),
)
