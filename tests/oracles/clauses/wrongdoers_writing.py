"""Wrongdoers on writing in place, versions and views, made of the engine."""

from __future__ import annotations

from refgrad import inplace, mutation, out, slices, versions, views, walk
from refgrad.ops import indexing
from refgrad.ops.hyperbolic import tanh

from .wrongdoers_kit import Wrongdoer, edited, formula, wrongdoer

WRITING: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "versions-never-bumped",
        "writes are noticed, but _version stays 0",
        edited(versions.Version.write, "self.count += times", "pass"),
        breaks="GM-14 GM-18 IP-1 IP-6 IP-9 IP-14 IP-17 CF-8 SH-4",
    ),
    wrongdoer(
        "versions-not-checked",
        "backward uses saved values whether they were written to or not",
        edited(versions.check_tensor, "version is not None and version.changed_since(number)", "False"),
        edited(versions.check_saved, "if version.changed_since(since):", "if False:"),
        breaks="RG-11 GM-14 GM-18 IP-2 IP-3 IP-5 IP-14 CF-6",
    ),
    wrongdoer(
        "outputs-not-checked",
        "backward uses saved results whether they were written to or not",
        edited(versions.check_saved, "if version.changed_since(since):", "if False:"),
        breaks="RG-11 IP-2 IP-5",
    ),
    wrongdoer(
        "add-saves-its-operands",
        "a sum saves its operands, though it needs none of them",
        formula("add", lambda g, b: g, "a"),
        breaks="BW-9 GM-11 IP-4",
    ),
    wrongdoer(
        "tanh-saves-its-input",
        "tanh saves its input and not its result",
        formula("tanh", lambda g, x: g * (1 - tanh(x) * tanh(x))),
        breaks="IP-5",
    ),
    wrongdoer(
        "views-count-alone",
        "a view counts its writes by itself",
        edited(views.make_view, "state.version = version\n", "state.version = Version()\n"),
        breaks="IP-1 IP-6 IP-17",
    ),
    wrongdoer(
        "writes-not-recorded",
        "what is written in place is differentiated as if it had not been written",
        edited(inplace.commit, "rebase(target, node, made._nr)", "pass"),
        breaks="GR-10 GR-13 IP-2 IP-4 IP-7 IP-8 IP-9 IP-11 IP-18 HK-12 HK-17 ND-41",
    ),
    wrongdoer(
        "base-not-rebased",
        "after a write into a view, its base is differentiated as if nothing had been written",
        edited(inplace.rebase, "if view is None:", "if True:"),
        breaks="GR-10 IP-8 IP-18",
    ),
    wrongdoer(
        "views-not-renewed",
        "views of what was written into keep the node that they had",
        edited(views.written, "if version is None or not version.views:", "if True:"),
        breaks="IP-9",
    ),
    wrongdoer(
        "leaves-written",
        "a leaf that requires grad may be written into",
        edited(views.check_write, "if tensor.requires_grad and tensor.is_leaf:", "if False:"),
        breaks="IP-10",
    ),
    wrongdoer(
        "views-of-leaves-written",
        "a view of a leaf that requires grad may be written into",
        edited(views.check_write, "if tensor.requires_grad and view.base.is_leaf:", "if False:"),
        breaks="IP-10",
    ),
    wrongdoer(
        "several-views-written",
        "what unbind, split and chunk return may be written into",
        edited(views.attach, "creation = SEVERAL", 'creation = ""'),
        breaks="IP-11",
    ),
    wrongdoer(
        "detached-since-saved",
        "backward does not notice that a saved tensor was detached in place",
        edited(versions.check_tensor, "if state.detached > number:", "if False:"),
        breaks="IP-16",
    ),
    wrongdoer(
        "data-begins-anew",
        "assigning x.data sets its version back to 0",
        edited(
            views._set_data,
            "state = self._state",
            """
            state = self._state
            if state is not None:
                state.version = None
            """,
        ),
        breaks="IP-17",
    ),
    wrongdoer(
        "overwritten-still-counts",
        "what was written over still takes its gradient",
        formula("copy", lambda g: g, "x"),
        breaks="IP-18",
    ),
    wrongdoer(
        "last-index-wins",
        "an element that an index takes twice receives the last of its gradients",
        edited(
            indexing.index_backward.evaluate, "np.add.at(out, places(indices), x)", "out[places(indices)] = x"
        ),
        breaks="IP-19",
    ),
    wrongdoer(
        "every-node-checked",
        "what nodes have saved is checked even if they do not run",
        edited(
            walk._visit_all,
            "task.order = nodes, closing",
            """
            task.order = nodes, closing
            from refgrad.opnode import OpNode
            from refgrad.versions import check_saved
            for node in nodes:
                if isinstance(node, OpNode):
                    check_saved(node)
            """,
        ),
        breaks="IP-3",
    ),
    wrongdoer(
        "out-in-spite-of-grad",
        "out= takes tensors that require grad, and records nothing",
        edited(out.write_out, "if mode.enabled and any(x.requires_grad for x in tensors):", "if False:"),
        breaks="IP-13",
    ),
    wrongdoer(
        "increments-ignored",
        "increment_version does nothing",
        edited(versions.increment_version, "version_of(t).write()", "pass"),
        breaks="IP-14",
    ),
    wrongdoer(
        "inference-incremented",
        "increment_version counts a write into an inference tensor, which has no version",
        edited(versions.increment_version, "if not unversioned(t):", "if t._version >= 0:"),
        breaks="IP-14",
    ),
    wrongdoer(
        "mutation-not-undone",
        "under allow_mutation_on_saved_tensors backward uses values as they are, written to or not",
        edited(mutation.AllowMutationOnSavedContext.before, "if stamp > number and array.size:", "if False:"),
        breaks="IP-15",
    ),
    wrongdoer(
        "mutation-nested",
        "allow_mutation_on_saved_tensors may be nested",
        edited(mutation.allow_mutation_on_saved_tensors, "if mode.keeping is not None:", "if False:"),
        breaks="IP-15",
    ),
    wrongdoer(
        "mutation-outlived",
        "what was recorded under allow_mutation_on_saved_tensors may be gone back through outside",
        edited(mutation.context_of, "if saves:", "if False:"),
        breaks="IP-15",
    ),
    wrongdoer(
        "result-in-place-unchecked",
        "what an op in place has saved of its result may be written to unnoticed",
        edited(inplace.take_over, "node.tie_slot(0, version, number)", "pass"),
        breaks="IP-2",
    ),
    wrongdoer(
        "views-of-views-apart",
        "a view of a view has the first view for its base",
        edited(views.attach, "base = source if origin is None else origin.base", "base = source"),
        breaks="IP-8",
    ),
    wrongdoer(
        "writes-differentiated-once",
        "a write into a view can be differentiated through once, and not twice",
        edited(slices.CopySlices._replaced_tensor, "return whole", "return whole.detach()"),
        breaks="GR-10",
    ),
)
