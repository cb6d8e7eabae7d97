"""Wrongdoers on forward mode, `autograd.functional` and `gradcheck`, made of the engine."""

from __future__ import annotations

from refgrad import customjvp, forward_ad, functional, gradcheck, gradcheck_jacobians, modes, views

from .wrongdoers_kit import Wrongdoer, edited, wrongdoer

FORWARD: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "levels-stay-open",
        "a dual level stays open after its block",
        edited(forward_ad.exit_dual_level, "set_level(None).close()", "pass"),
        breaks="FW-1",
    ),
    wrongdoer(
        "levels-nest",
        "a dual level may be opened within another",
        edited(forward_ad.enter_dual_level, "if mode.level is not None:", "if False:"),
        breaks="FW-2",
    ),
    wrongdoer(
        "levels-open-themselves",
        "make_dual opens a level where there is none",
        edited(
            forward_ad.make_dual,
            "current = mode.level",
            """
            if mode.level is None:
                enter_dual_level()
            current = mode.level
            """,
        ),
        breaks="FW-2",
    ),
    wrongdoer(
        "duals-copied",
        "a dual is a copy of its primal",
        edited(forward_ad.make_dual, "view(tensor, shape=tensor._array.shape)", "clone(tensor)"),
        breaks="FW-3",
    ),
    wrongdoer(
        "tangents-copied",
        "a dual has a copy of the tangent that it is given",
        edited(forward_ad.set_tangent, "if tangent.stride() != x.stride():", "if True:"),
        breaks="FW-3",
    ),
    wrongdoer(
        "integers-have-tangents",
        "a dual may be made of integers",
        edited(forward_ad.make_dual, "if not each.is_floating_point():", "if False:"),
        breaks="FW-4",
    ),
    wrongdoer(
        "tangents-of-any-size",
        "a tangent may have another size than its primal",
        edited(forward_ad.set_tangent, "if tangent.shape != x.shape:", "if False:"),
        breaks="FW-4",
    ),
    wrongdoer(
        "tangents-off-the-graph",
        "tangents are cut off the graph",
        edited(forward_ad.products, "recorded = is_grad_enabled() and", "recorded = False and"),
        breaks="FW-5",
    ),
    wrongdoer(
        "no-formula-no-tangent",
        "a custom Function without jvp gives results without a tangent",
        edited(
            customjvp.output_tangents,
            "if all(t is None for t in own):",
            "if all(t is None for t in own) or 'jvp' not in vars(ctx._forward_cls):",
        ),
        breaks="FW-6",
    ),
    wrongdoer(
        "tangents-not-written",
        "a write in place leaves the tangent as it was",
        edited(forward_ad.Level.written, "tangent, own = self.of(made), self.of(target)", "return"),
        breaks="FW-7",
    ),
    wrongdoer(
        "detach-keeps-the-tangent",
        "detach() keeps the tangent",
        edited(
            views.detach,
            "return made",
            """
            tangent = mode.level and mode.level.of(self)
            if tangent is not None:
                mode.level.give(made, tangent)
            return made
            """,
        ),
        breaks="RG-13",
    ),
    wrongdoer(
        "no-tangents-in-no-grad",
        "no_grad switches forward mode off too",
        edited(
            forward_ad.Level.push,
            "tangents = [self.of(x) for x in inputs]",
            "tangents = [self.of(x) if is_grad_enabled() else None for x in inputs]",
        ),
        breaks="GM-9",
    ),
    wrongdoer(
        "tangents-in-inference",
        "inference mode within a dual level is no_grad, in which tangents go on",
        edited(
            modes.inference_mode.__enter__,
            "mode.asked = self.target, False",
            "mode.asked = self.target and mode.level is None, False",
        ),
        breaks="GM-16",
    ),
    wrongdoer(
        "tangents-not-begun",
        "a tensor without a tangent gets none when a dual is written into it",
        edited(forward_ad.Level.written, "if tangent is None and own is None:", "if own is None:"),
        breaks="FW-7",
    ),
)

FUNCTIONAL: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "jacobian-of-input-and-output",
        "jacobian has the input's shape first",
        edited(functional._by_rows, "(*y.shape, *x.shape)", "(*x.shape, *y.shape)"),
        breaks="FN-1",
    ),
    wrongdoer(
        "hessian-of-many",
        "hessian takes functions of several values, and differentiates the first",
        edited(
            functional._single,
            "if ys[0].numel() != 1:",
            """
            if ys[0].numel() != 1:
                ys = (ys[0].reshape(-1)[0],)
            if False:
            """,
        ),
        breaks="FN-2",
    ),
    wrongdoer(
        "never-strict",
        "strict=True leaves zeros where an output does not depend on an input",
        edited(functional._by_rows, "if g is None and strict:", "if False:"),
        breaks="FN-3",
    ),
    wrongdoer(
        "always-strict",
        "an output that does not depend on an input is an error, strict or not",
        edited(functional._by_rows, "if g is None and strict:", "if g is None:"),
        breaks="FN-1 FN-3",
    ),
    wrongdoer(
        "products-cut-off",
        "products are cut off the graph, with create_graph too",
        edited(functional._result, "kept = found if create_graph else", "kept ="),
        breaks="FN-2 FN-4",
    ),
    wrongdoer(
        "results-kept",
        "outputs keep their graph without create_graph",
        edited(functional._result, "kept = found if create_graph else", "kept = found if True else"),
        breaks="FN-4",
    ),
)

CHECKING: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "always-right",
        "gradcheck takes every gradient for right",
        edited(gradcheck._close, "return bool(", "return bool(True or "),
        breaks="GC-1 GC-6 GC-7 GC-9",
    ),
    wrongdoer(
        "always-raises",
        "gradcheck raises for a wrong gradient whatever raise_exception is",
        edited(gradcheck.gradcheck, "if raise_exception:", "if True:"),
        breaks="GC-1 GC-3",
    ),
    wrongdoer(
        "nothing-to-check",
        "gradcheck answers True where no input requires grad",
        edited(gradcheck._check_inputs, "if not any_requires:", "if False:"),
        breaks="GC-2",
    ),
    wrongdoer(
        "any-precision",
        "gradcheck does not warn of single precision",
        edited(gradcheck._check_inputs, "if x._array.dtype != np.float64:", "if False:"),
        breaks="GC-3",
    ),
    wrongdoer(
        "overlap-checked",
        "gradcheck takes inputs whose elements share memory",
        edited(gradcheck._check_inputs, "if any(step == 0", "if False and any(step == 0"),
        breaks="GC-4",
    ),
    wrongdoer(
        "wider-steps",
        "the differences are ten times as wide as eps says",
        edited(
            gradcheck_jacobians.numerical,
            "(-eps, eps)",
            "(-10 * eps, 10 * eps)",
            "/ (2 * eps)",
            "/ (20 * eps)",
        ),
        breaks="GC-5",
    ),
    wrongdoer(
        "one-sided",
        "the differences go from each point to one side",
        edited(gradcheck_jacobians.numerical, "(-eps, eps)", "(0.0, eps)", "/ (2 * eps)", "/ eps"),
        breaks="GC-5",
    ),
    wrongdoer(
        "never-fast",
        "fast mode goes through every element",
        edited(gradcheck._Check.run, "if self.fast:", "if False:"),
        breaks="GC-6",
    ),
    wrongdoer(
        "asked-once",
        "gradcheck asks for each gradient once",
        edited(gradcheck._Check._repeatable, "first, second = ask(), ask()", "first = second = ask()"),
        breaks="GC-7",
    ),
    wrongdoer(
        "undefined-unchecked",
        "gradcheck never tries gradients that are not there",
        edited(gradcheck._Check.run, "if undefined:", "if False:"),
        breaks="GC-8",
    ),
    wrongdoer(
        "first-order-alone",
        "gradgradcheck checks the function, and not its gradient",
        edited(
            gradcheck.gradgradcheck,
            """
            gradients,
            given + cotangents,
            """,
            """
            func,
            given,
            """,
        ),
        breaks="GC-9",
    ),
)
