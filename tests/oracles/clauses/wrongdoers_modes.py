"""Wrongdoers on grad modes, made of the engine."""

from __future__ import annotations

from refgrad import inplace, modes, record, versions, views

from .wrongdoers_kit import Wrongdoer, edited, swapped, wrongdoer

MODES: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "no-grad-records",
        "no_grad records as ever",
        swapped(modes.no_grad, target=True),
        breaks="AC-10 GM-1 GM-2 GM-3 GM-6 GM-8 GM-17 GM-18 IP-13 CF-1 CF-8 CF-13 CF-15 CF-28 SH-6",
    ),
    wrongdoer(
        "bare-decorator",
        "no_grad as a decorator without parentheses leaves the function as it is",
        edited(modes.no_grad.__new__, "return made(function)", "return function"),
        breaks="GM-2",
    ),
    wrongdoer(
        "enable-grad-outside-alone",
        "enable_grad within a block that records nothing leaves recording off",
        edited(modes._GradMode.__enter__, "swap(self.target)", "swap(self.target and is_grad_enabled())"),
        breaks="GM-3 GM-9",
    ),
    wrongdoer(
        "set-when-entered",
        "set_grad_enabled sets the mode when its block is entered, not when it is called",
        edited(modes.set_grad_enabled.__init__, "swap(mode)", "is_grad_enabled()"),
        breaks="GM-4",
    ),
    wrongdoer(
        "decorating-sets",
        "decorating with set_grad_enabled leaves the mode set where the function is defined",
        edited(modes.set_grad_enabled.__call__, "swap(self._before)", "pass"),
        breaks="GM-5",
    ),
    wrongdoer(
        "one-mode-for-all",
        "new threads begin in the mode that was set last anywhere",
        edited(
            modes.swap,
            "switch(enabled)",
            """
            switch(enabled)
            type(mode).enabled = mode.enabled
            """,
        ),
        swapped(modes._Mode, enabled=True),
        breaks="GM-6",
    ),
    wrongdoer(
        "left-by-an-exception",
        "an exception that leaves the block leaves its mode set",
        edited(modes._GradMode.__exit__, "swap(self._previous.pop())", "kind or swap(self._previous.pop())"),
        breaks="GM-7",
    ),
    wrongdoer(
        "generators-as-functions",
        "a generator under no_grad is made in the mode and runs in its caller's",
        edited(modes._GradMode.__call__, "inspect.isgeneratorfunction(function)", "False"),
        breaks="GM-8",
    ),
    wrongdoer(
        "generators-leak",
        "a generator under no_grad leaves its mode set between its steps",
        edited(
            modes._decorate_generator,
            """
            with fresh():
                item = step()
            """,
            """
            fresh().__enter__()
            item = step()
            """,
        ),
        breaks="GM-8",
    ),
    wrongdoer(
        "classes-decorated",
        "decorating a class does not warn",
        edited(modes._GradMode.__call__, "inspect.isclass(function)", "False"),
        breaks="GM-19",
    ),
    wrongdoer(
        "inference-counted",
        "an inference tensor says that it was never written to",
        edited(versions.count_of, "if unversioned(tensor):", "if False:"),
        breaks="GM-10",
    ),
    wrongdoer(
        "inference-unmarked",
        "ops in inference mode give normal tensors",
        edited(views.born, "if mode.inference:", "if False:"),
        breaks="GM-10 GM-11 GM-12 GM-13 GM-20",
    ),
    wrongdoer(
        "inference-saved",
        "an inference tensor may be saved for backward",
        edited(record._node, "and each.is_inference()", "and False"),
        breaks="GM-11",
    ),
    wrongdoer(
        "inference-written-outside",
        "an inference tensor may be written into outside of inference mode",
        edited(inplace.counts, "if not mode.inference and unversioned(target):", "if False:"),
        breaks="GM-12",
    ),
    wrongdoer(
        "inference-never-off",
        "inference_mode(False) within inference mode changes nothing",
        edited(
            modes.inference_mode.__enter__,
            "mode.inference, mode.asked = self.target, False",
            "mode.inference, mode.asked = self.target or mode.inference, False",
            "switch(not self.target)",
            "switch(not mode.inference)",
        ),
        breaks="GM-13",
    ),
    wrongdoer(
        "inference-writes-uncounted",
        "a normal tensor that is written into in inference mode is not marked as written",
        edited(
            inplace.commit,
            "version = version_of(target)",
            """
            if mode.inference:
                return
            version = version_of(target)
            """,
        ),
        breaks="GM-14",
    ),
    wrongdoer(
        "inference-views-written",
        "a view that inference mode took of a normal tensor may be written into",
        edited(views.attach, "creation = INFERENCE", 'creation = ""'),
        breaks="GM-15",
    ),
    wrongdoer(
        "no-grad-views-written",
        "a view that no_grad took may be written into",
        edited(views.attach, "creation = NO_GRAD", 'creation = ""'),
        breaks="GM-17",
    ),
    wrongdoer(
        "leaves-never-written",
        "a leaf that requires grad cannot be written into in no_grad either",
        edited(
            views.check_write,
            "if not recorded or not mode.enabled:",
            "if not (recorded or tensor.requires_grad and tensor.is_leaf and not mode.enabled):",
        ),
        breaks="AC-10 GM-18",
    ),
    wrongdoer(
        "inference-views-normal",
        "a view of an inference tensor is a normal tensor",
        edited(views.attach, "if source.is_inference():", "if source.is_inference() and mode.inference:"),
        breaks="GM-20",
    ),
)
