"""Wrongdoers on hooks, made of the engine."""

from __future__ import annotations

from refgrad import (
    accumulate,
    backward,
    handles,
    hooks,
    views,
    walk,
)

from .wrongdoers_kit import Wrongdoer, edited, wrongdoer

HOOKS: tuple[Wrongdoer, ...] = (
    wrongdoer(
        "answers-ignored",
        "what a tensor's hook returns is ignored",
        edited(hooks.run_tensor_hooks, "if answer is not None:", "if False:"),
        breaks="HK-1 HK-3 HK-5 HK-18",
    ),
    wrongdoer(
        "removed-once",
        "removing a hook twice is an error",
        edited(handles.RemovableHandle.remove, "hooks.pop(self.id, None)", "hooks.pop(self.id)"),
        breaks="HK-2",
    ),
    wrongdoer(
        "never-removed",
        "remove() leaves the hook",
        edited(handles.RemovableHandle.remove, "hooks.pop(self.id, None)", "pass"),
        breaks="HK-2 HK-18",
    ),
    wrongdoer(
        "last-registered-first",
        "a tensor's hooks run in the reverse of the order in which they were registered",
        edited(hooks.run_tensor_hooks, "list(hooks.values())", "reversed(list(hooks.values()))"),
        breaks="HK-1 HK-3",
    ),
    wrongdoer(
        "fired-twice",
        "a tensor's hooks run twice",
        edited(hooks.run_tensor_hooks, "list(hooks.values())", "2 * list(hooks.values())"),
        breaks="HK-1 HK-3 HK-4 HK-5 HK-7 HK-10 HK-11 HK-12 HK-13 HK-19",
    ),
    wrongdoer(
        "node-before-tensor",
        "pre-hooks of a node run before the hooks of its tensors",
        edited(
            walk._visit,
            """
            gs = _received(extras, gs, task)
            if extras.pre_hooks:
                gs = run_pre_hooks(extras.pre_hooks, gs)
            """,
            """
            if extras.pre_hooks:
                gs = run_pre_hooks(extras.pre_hooks, gs)
            gs = _received(extras, gs, task)
            """,
        ),
        breaks="HK-4 HK-5 HK-11",
    ),
    wrongdoer(
        "retained-first",
        "retain_grad stores the gradient before the tensor's hooks have seen it",
        edited(
            walk._received,
            """
            if extras.tensor_hooks:
                gs = run_tensor_hooks(extras, gs)
            if extras.retained:
                retain(extras, gs, task.create_graph)
            """,
            """
            if extras.retained:
                retain(extras, gs, task.create_graph)
            if extras.tensor_hooks:
                gs = run_tensor_hooks(extras, gs)
            """,
        ),
        breaks="HK-5",
    ),
    wrongdoer(
        "accumulated-too-early",
        "hooks after accumulation run before it",
        edited(
            walk._accumulate,
            "wanted = leaf.requires_grad",
            """
            if node.extras is not None and node.extras.accumulated is not None:
                run_accumulated(node.extras.accumulated, leaf)
            wanted = leaf.requires_grad
            """,
            """
            if extras is not None and extras.accumulated is not None:
                run_accumulated(extras.accumulated, leaf)
            """,
            "",
        ),
        breaks="HK-4 HK-6",
    ),
    wrongdoer(
        "accumulated-on-results",
        "hooks after accumulation are accepted on tensors that are no leaves",
        edited(hooks.register_post_accumulate_grad_hook, "if self.grad_fn is not None:", "if False:"),
        breaks="HK-6",
    ),
    wrongdoer(
        "hooks-recorded",
        "hooks run with recording on, create_graph or not",
        edited(walk.run, "swap(create_graph)", "swap(True)"),
        breaks="HK-7",
    ),
    wrongdoer(
        "node-answers-ignored",
        "what a node's hook returns is ignored",
        edited(
            hooks.run_post_hooks, "sent = _all_taken(held, hook(held, got), hook, sent)", "hook(held, got)"
        ),
        breaks="HK-8",
    ),
    wrongdoer(
        "pre-hook-answers-ignored",
        "what a node's pre-hook returns is ignored",
        edited(hooks.run_pre_hooks, "gs = _all_taken(held, hook(held), hook, gs)", "hook(held)"),
        breaks="HK-5 HK-9",
    ),
    wrongdoer(
        "pre-hooks-without-their-node",
        "pre-hooks of a node run where it is asked for, though it does not run",
        edited(
            walk._visit,
            "if extras is not None and not needed:",
            """
            if extras is not None and not needed:
                gs = run_pre_hooks(extras.pre_hooks or {}, gs)
            """,
        ),
        breaks="HK-10",
    ),
    wrongdoer(
        "inputs-captured",
        "backward(inputs=) gathers gradients as grad does, so that the nodes of the leaves do not run",
        edited(
            backward.backward,
            "run(roots, create_graph=bool(create_graph), keep=keep, wanted=edges, capture=False)",
            """
            from refgrad.accumulate import accumulate
            caught = run(roots, create_graph=bool(create_graph), keep=keep, wanted=edges)
            for place, edge in zip(wanted or (), edges or (), strict=True):
                if edge in caught and edge[0].number < 0:
                    accumulate(edge[0].variable, caught[edge], create_graph)
            """,
        ),
        breaks="HK-11",
    ),
    wrongdoer(
        "hooks-follow-their-tensor",
        "after a write in place a tensor's hooks are those of its new value",
        edited(
            views.set_edge,
            "tensor._node, tensor._nr = node, nr",
            """
            if before is not None and before.extras is not None and before.extras.tensor_hooks:
                node.extras = node.extras or Extras()
                node.extras.tensor_hooks, before.extras.tensor_hooks = before.extras.tensor_hooks, {}
            tensor._node, tensor._nr = node, nr
            """,
        ),
        breaks="HK-12",
    ),
    wrongdoer(
        "retained-where-it-was",
        "after a write in place .grad is retained with respect to the value before it",
        edited(views.set_edge, "if state is not None and state.retains and", "if False and"),
        breaks="HK-17",
    ),
    wrongdoer(
        "called-for-each",
        "register_multi_grad_hook calls as soon as the first gradient is there",
        edited(hooks.register_multi_grad_hook, "complete = missing[task] == 0", "complete = True"),
        breaks="HK-13",
    ),
    wrongdoer(
        "any-means-each",
        'with mode="any" the hook is called with every gradient',
        edited(hooks._register_any, "first = not seen.get(task)", "first = True"),
        breaks="HK-14",
    ),
    wrongdoer(
        "any-mode-goes",
        "register_multi_grad_hook accepts any mode",
        edited(hooks.register_multi_grad_hook, "if mode not in MODES:", "if False:"),
        breaks="HK-14",
    ),
    wrongdoer(
        "hooks-on-constants",
        "a hook may be registered on what requires no grad",
        edited(hooks.register_hook, "if not self.requires_grad:", "if False:"),
        breaks="HK-15",
    ),
    wrongdoer(
        "retained-of-the-last",
        "a retained .grad holds the gradient of the last pass alone",
        edited(accumulate.retain, "if state.grad is None else state.grad + g", ""),
        breaks="HK-16",
    ),
    wrongdoer(
        "hooks-change-sizes",
        "a hook may return another shape",
        edited(hooks._check, "if answer.shape != before.shape:", "if False:"),
        breaks="HK-18",
    ),
    wrongdoer(
        "hooks-swallowed",
        "an exception in a hook is swallowed, and the gradient left as it was",
        edited(
            hooks.run_tensor_hooks,
            "answer = hook(held)",
            """
            try:
                answer = hook(held)
            except ArithmeticError:
                answer = None
            """,
        ),
        breaks="HK-18",
    ),
    wrongdoer(
        "hook-at-each-use",
        "a leaf's hooks see what each of its uses contributes, and not the sum",
        edited(
            walk._send,
            "ct = fit(ct, target.metas[nr])",
            """
            ct = fit(ct, target.metas[nr])
            if target.number < 0 and target.extras is not None:
                (ct,) = run_tensor_hooks(target.extras, [ct])
            """,
        ),
        breaks="HK-7 HK-11 HK-19",
    ),
    wrongdoer(
        "several-once-for-all",
        "register_multi_grad_hook calls in the first pass alone",
        edited(
            hooks.register_multi_grad_hook,
            "task = current()",
            """
            nonlocal fn
            task = current()
            """,
            "fn(gathered.pop(task))",
            """
            fn(gathered.pop(task))
            fn = id
            """,
        ),
        breaks="HK-13",
    ),
    wrongdoer(
        "any-once-for-all",
        'with mode="any" the hook is called in the first pass alone',
        edited(
            hooks._register_any,
            "seen: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()",
            "seen = {}",
            "not seen.get(task)",
            "not seen",
        ),
        breaks="HK-14",
    ),
    wrongdoer(
        "closed-too-early",
        "the walk hands a leaf its gradient when the last made of the nodes that lead to it has run",
        edited(
            walk._discover,
            "if before is None or node.number < before.number:",
            "if before is None or node.number > before.number:",
        ),
        breaks="BW-11 GR-10 GR-11 GR-14 HK-19 SH-5 FW-1 CX-1 CX-4 TH-1",
    ),
)
