"""HK: hooks of every kind, in PyTorch's order and words."""

# ruff: noqa: D103 (a snippet says its sentence itself)
import gc
import weakref

import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .side_by_side import Table, agree, leaf, outcome, told  # noqa: E402

same = Table()


def graph(torch, log):
    """A leaf and what is computed of it, with a hook of every kind, each of which changes what it may."""
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    node, end = y.grad_fn, y.grad_fn.next_functions[0][0]
    node.register_hook(
        told(log, "post", lambda sent, got: (None if sent[0] is None else sent[0] + 100, None))
    )
    node.register_prehook(told(log, "pre", lambda got: (got[0] * 10,)))
    y.retain_grad()
    y.register_hook(told(log, "tensor", lambda g: g + 1))
    end.register_hook(told(log, "leaf post"))
    end.register_prehook(told(log, "leaf pre", lambda got: (got[0] - 1,)))
    x.register_post_accumulate_grad_hook(lambda p: log.append(("accumulated", p is x, p.grad.tolist())))
    x.register_hook(told(log, "leaf tensor", lambda g: g * 2))
    return x, y


@same()
def the_order_of_all_in_backward(torch, log):
    x, y = graph(torch, log)
    y.sum().backward()
    return x.grad, y.grad


@same()
def the_order_of_all_with_create_graph(torch, log):
    x, y = graph(torch, log)
    (y * y).sum().backward(create_graph=True)
    return x.grad, y.grad


@same()
def which_run_in_grad_for_the_leaf(torch, log):
    x, y = graph(torch, log)
    return torch.autograd.grad(y.sum(), x), x.grad, y.grad


@same()
def which_run_in_grad_for_the_middle(torch, log):
    x, y = graph(torch, log)
    return torch.autograd.grad(y.sum(), y), x.grad, y.grad


@same()
def which_run_in_grad_for_both(torch, log):
    x, y = graph(torch, log)
    return torch.autograd.grad(y.sum(), [x, y]), x.grad, y.grad


@same()
def which_run_in_backward_for_the_leaf(torch, log):
    x, y = graph(torch, log)
    y.sum().backward(inputs=[x])
    return x.grad, y.grad


@same()
def which_run_in_backward_for_the_middle(torch, log):
    x, y = graph(torch, log)
    y.sum().backward(inputs=[y])
    return x.grad, y.grad


@same()
def which_run_in_backward_for_both(torch, log):
    x, y = graph(torch, log)
    y.sum().backward(inputs=[y, x])
    return x.grad, y.grad


@same()
def a_tensor_hook_sees_and_replaces_the_gradient(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 3
    y.register_hook(told(log, "first"))
    y.register_hook(told(log, "second", lambda g: g * 10))
    y.register_hook(told(log, "third", lambda g: g + 1))
    y.sum().backward()
    return x.grad


@same()
def a_leaf_hook_runs_once_with_the_total(torch, log):
    x = leaf(torch, 1.0, 2.0)
    x.register_hook(told(log, "leaf"))
    ((x * x).sum() + x.exp().sum() * 0 + x.sum()).backward()
    return x.grad


@same()
def hooks_of_a_leaf_registered_before_and_after_it_is_used(torch, log):
    x = leaf(torch, 1.0, 2.0)
    x.register_hook(told(log, "before"))
    y = (x * x).sum()
    x.register_hook(told(log, "after"))
    w = leaf(torch, 3.0)
    z = (w * y).sum()
    w.register_hook(told(log, "late"))
    w.register_post_accumulate_grad_hook(told(log, "accumulated"))
    z.backward()


@same()
def hooks_of_a_leaf_outlive_the_graph(torch, log):
    x = leaf(torch, 1.0, 2.0)
    x.register_hook(told(log, "hook"))
    x.register_post_accumulate_grad_hook(told(log, "accumulated"))
    for _ in range(2):
        (x * 2).sum().backward()


@same()
def hooks_of_the_node_of_a_leaf_go_with_it(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = (x * 2).sum()
    y.grad_fn.next_functions[0][0].next_functions[0][0].register_prehook(told(log, "pre"))
    y.backward()
    del y
    gc.collect()
    (x * 2).sum().backward()


@same()
def a_handle_removes_its_hook(torch, log):
    x = leaf(torch, 1.0, 2.0)
    first, second = x.register_hook(told(log, "first")), x.register_hook(told(log, "second"))
    first.remove()
    first.remove()
    (x * 2).sum().backward()
    second.remove()
    (x * 2).sum().backward()
    log.append(first.id < second.id)


@same()
def a_handle_is_a_context_manager(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with x.register_hook(told(log, "within")):
        (x * 2).sum().backward()
    (x * 2).sum().backward()


@same()
def every_kind_of_hook_is_removed(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    end = y.grad_fn.next_functions[0][0]
    handles = [
        y.register_hook(told(log, "tensor")),
        y.grad_fn.register_hook(told(log, "post")),
        y.grad_fn.register_prehook(told(log, "pre")),
        x.register_post_accumulate_grad_hook(told(log, "accumulated")),
        end.register_hook(told(log, "leaf post")),
        end.register_prehook(told(log, "leaf pre")),
    ]
    for handle in handles:
        handle.remove()
    y.sum().backward()
    return x.grad


@same()
def a_hook_removed_by_a_hook_still_runs_in_this_pass(torch, log):
    x = leaf(torch, 1.0, 2.0)
    handles = []

    def first(g):
        log.append("first")
        handles[0].remove()
        handles[1].remove()

    handles.append(x.register_hook(first))
    handles.append(x.register_hook(lambda g: log.append("second")))
    handles.append(x.register_hook(lambda g: log.append("third")))
    for _ in range(2):
        (x * 2).sum().backward()


@same()
def a_hook_added_by_a_hook_waits_for_the_next_pass(torch, log):
    x = leaf(torch, 1.0, 2.0)
    x.register_hook(lambda g: log.append("old") or (x.register_hook(lambda g: log.append("new")) and None))
    for _ in range(2):
        (x * 2).sum().backward()


@same()
def the_mode_in_hooks(torch, log):
    for create in (False, True):
        x = leaf(torch, 1.0, 2.0)
        y = x * 2
        y.register_hook(lambda g: log.append((torch.is_grad_enabled(), g.requires_grad)))
        y.grad_fn.register_prehook(lambda g: log.append(torch.is_grad_enabled()))
        y.grad_fn.register_hook(lambda g, h: log.append(torch.is_grad_enabled()))
        x.register_post_accumulate_grad_hook(
            lambda p: log.append((torch.is_grad_enabled(), p.grad.requires_grad))
        )
        (y * y).sum().backward(create_graph=create)
    log.append(torch.is_grad_enabled())


@same()
def outputs_without_a_gradient_show_none(torch, log):
    x = leaf(torch, 1.0, 2.0)
    a, b = x.split(1)
    b.register_hook(told(log, "b"))
    a.register_hook(told(log, "a"))
    b.retain_grad()
    a.grad_fn.register_prehook(told(log, "pre"))
    a.grad_fn.register_hook(told(log, "post"))
    (a * 3).sum().backward()
    return x.grad, b.grad


@same()
def a_gradient_taken_away_is_none_from_there_on(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    z = y * 3
    end = y.grad_fn.next_functions[0][0]
    z.grad_fn.register_prehook(lambda g: (None,))
    y.register_hook(told(log, "y"))
    y.grad_fn.register_hook(told(log, "post"))
    x.register_hook(told(log, "x"))
    x.register_post_accumulate_grad_hook(told(log, "accumulated"))
    end.register_hook(told(log, "leaf post"))
    z.sum().backward()
    return x.grad


@same(RuntimeError)
def none_is_not_replaced(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    y.grad_fn.register_hook(lambda sent, got: (sent[0], torch.ones(2, dtype=torch.float64)))
    y.sum().backward()


@same()
def two_uses_of_one_leaf_in_a_post_hook(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    y.grad_fn.register_hook(told(log, "post", lambda sent, got: (sent[0] * 10, sent[1] * 100)))
    y.sum().backward()
    return x.grad


def wrong_answers():
    """Each kind of hook that returns what it may not."""
    kinds = {
        "tensor": lambda x, y, hook: y.register_hook(hook),
        "leaf": lambda x, y, hook: x.register_hook(hook),
        "pre": lambda x, y, hook: y.grad_fn.register_prehook(hook),
        "post": lambda x, y, hook: y.grad_fn.register_hook(hook),
        "accumulated": lambda x, y, hook: x.register_post_accumulate_grad_hook(hook),
        "leaf_pre": lambda x, y, hook: y.grad_fn.next_functions[0][0].register_prehook(hook),
        "leaf_post": lambda x, y, hook: y.grad_fn.next_functions[0][0].register_hook(hook),
    }
    answers = {
        "text": lambda torch: "text",
        "number": lambda torch: 1.0,
        "float32": lambda torch: torch.ones(2),
        "float16": lambda torch: torch.ones(2, dtype=torch.float16),
        "integers": lambda torch: torch.ones(2, dtype=torch.int64),
        "another_size": lambda torch: torch.ones(3, dtype=torch.float64),
        "tensor": lambda torch: torch.ones(2, dtype=torch.float64),
        "list": lambda torch: [torch.ones(2, dtype=torch.float64)],
        "empty": lambda torch: (),
        "tuple": lambda torch: (torch.ones(2, dtype=torch.float64),),
        "tuple_of_two": lambda torch: (torch.ones(2, dtype=torch.float64), None),
        "tuple_of_text": lambda torch: ("text",),
        "tuple_of_float32": lambda torch: (torch.ones(2),),
        "tuple_of_none": lambda torch: (None,),
        "tuple_of_another_size": lambda torch: (torch.ones(3, dtype=torch.float64), None),
    }
    for kind, register in kinds.items():
        for name, answer in answers.items():
            yield pytest.param(register, answer, id=f"{kind}-{name}")


@pytest.mark.parametrize(("register", "answer"), list(wrong_answers()))
def test_what_hooks_may_return(register, answer):
    """HK-8, HK-9, HK-18: the same gradient, or the same exception, for whatever a hook returns."""

    def snippet(torch, log):
        x = leaf(torch, 1.0, 2.0)
        y = x * 2
        register(x, y, lambda *args: answer(torch))
        y.sum().backward()
        return x.grad

    assert outcome(refgrad, snippet) == outcome(torch, snippet)


class Nameless:
    """A hook without a name."""

    def __call__(self, g):
        """Twice as long as it may be."""
        return g.repeat(2) if hasattr(g, "repeat") else g


@same(RuntimeError)
def a_hook_without_a_name(torch, log):
    x = leaf(torch, 1.0, 2.0)
    x.register_hook(Nameless())
    (x * 2).sum().backward()


@same(TypeError)
def a_hook_that_cannot_be_called(torch, log):
    x = leaf(torch, 1.0, 2.0)
    x.register_hook(3)
    log.append("registered")
    (x * 2).sum().backward()


@same(RuntimeError)
def no_hook_without_a_gradient(torch, log):
    torch.ones(2).register_hook(lambda g: None)


@same(RuntimeError)
def no_accumulation_hook_without_a_gradient(torch, log):
    torch.ones(2).register_post_accumulate_grad_hook(lambda g: None)


@same(RuntimeError)
def no_accumulation_hook_on_what_is_no_leaf(torch, log):
    (leaf(torch, 1.0) * 2).register_post_accumulate_grad_hook(lambda g: None)


@same()
def an_accumulation_hook_may_return_the_leaf(torch, log):
    x = leaf(torch, 1.0)
    x.register_post_accumulate_grad_hook(lambda p: p)
    (x * 2).sum().backward()
    return x.grad


@same()
def an_accumulation_hook_may_drop_the_gradient(torch, log):
    x = leaf(torch, 1.0)
    x.register_post_accumulate_grad_hook(lambda p: setattr(p, "grad", None))
    (x * 2).sum().backward()
    return x.grad


@same()
def a_kept_gradient_is_not_written_to(torch, log):
    x = leaf(torch, 1.0, 2.0)
    kept = []
    x.register_hook(lambda g: kept.append(g))
    for _ in range(2):
        (x * 2).sum().backward()
    return kept, x.grad, kept[0] is x.grad


@same()
def retaining_twice_and_adding_up(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    x.retain_grad()
    y.sum().backward(retain_graph=True)
    first = y.grad
    y.sum().backward()
    return first, y.grad, first is y.grad, y.retains_grad, x.retains_grad


@same()
def retaining_comes_after_all_tensor_hooks(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    y.register_hook(lambda g: g * 2)
    y.retain_grad()
    y.register_hook(lambda g: g + 1)
    y.grad_fn.register_prehook(lambda got: (got[0] * 100,))
    y.sum().backward()
    return y.grad, x.grad


@same()
def retaining_several_outputs(torch, log):
    x = leaf(torch, 1.0, 2.0)
    a, b = x.split(1)
    a.retain_grad()
    b.retain_grad()
    (a + b * 2).sum().backward()
    return a.grad, b.grad


@same()
def what_is_retained_lies_row_by_row(torch, log):
    x = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    y = (x * 2).t()
    y.retain_grad()
    (y.t() * y.t()).sum().backward()
    return y.grad, y.grad.stride(), x.grad.stride()


@same(RuntimeError)
def retaining_needs_a_gradient(torch, log):
    torch.ones(2).retain_grad()


def several(torch, log, mode):
    a, b, unused = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0), leaf(torch, 5.0)
    c, d = a * b, a * b
    handle = torch.autograd.graph.register_multi_grad_hook(
        (a, b, c, d, unused), told(log, "several"), mode=mode
    )
    c.sum().backward(retain_graph=True)
    c.sum().backward(inputs=(a,), retain_graph=True)
    torch.autograd.grad(c.sum(), c, retain_graph=True)
    (c + d).sum().backward(retain_graph=True)
    handle.remove()
    (c + d).sum().backward()


@same()
def one_hook_for_all(torch, log):
    several(torch, log, "all")


@same()
def one_hook_for_any(torch, log):
    several(torch, log, "any")


@same(ValueError)
def one_hook_in_no_known_mode(torch, log):
    several(torch, log, "some")


@same(RuntimeError)
def one_hook_for_all_and_the_gradient_of_a_leaf(torch, log):
    a = leaf(torch, 1.0)
    b = a * 2
    torch.autograd.graph.register_multi_grad_hook((a, b), told(log, "all"))
    torch.autograd.grad(b.sum(), a)


@same(AssertionError)
def one_hook_for_a_tensor_without_a_gradient(torch, log):
    torch.autograd.graph.register_multi_grad_hook((torch.ones(2),), told(log, "all"))


@same()
def one_hook_for_any_of_what_needs_no_gradient(torch, log):
    a = leaf(torch, 1.0)
    torch.autograd.graph.register_multi_grad_hook((torch.ones(2), a), told(log, "any"), mode="any")
    torch.autograd.graph.register_multi_grad_hook((), told(log, "never"))
    (a * 2).sum().backward()


@same()
def one_hook_that_raises_runs_again(torch, log):
    a = leaf(torch, 1.0)
    b = a * 2

    def hook(grads):
        log.append("hook")
        if len(log) == 1:
            raise KeyError("once")

    torch.autograd.graph.register_multi_grad_hook((a, b), hook)
    for _ in range(2):
        try:
            b.sum().backward(retain_graph=True)
        except KeyError as error:
            log.append(str(error))


def raising(where):
    """A hook that raises in the middle of a pass, and what is left behind."""

    def snippet(torch, log):
        x, w = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
        y = x * w
        z = y * y
        s = (z * w).sum()

        def boom(*args):
            raise KeyError(where)

        register = {
            "tensor": y.register_hook,
            "pre": y.grad_fn.register_prehook,
            "post": y.grad_fn.register_hook,
            "x": x.register_hook,
            "w": w.register_hook,
            "accumulated x": x.register_post_accumulate_grad_hook,
            "accumulated w": w.register_post_accumulate_grad_hook,
        }
        handle = register[where](boom)
        try:
            s.backward()
        except KeyError as error:
            log.append(("raised", str(error)))
        log.append((x.grad, w.grad, torch.is_grad_enabled()))
        handle.remove()
        for node in (z.grad_fn, y.grad_fn, s.grad_fn.next_functions[0][0]):
            try:
                log.append(node._saved_self)
            except RuntimeError as error:
                log.append(str(error))
        y.sum().backward() if where in ("tensor", "pre", "post") else s.backward()
        return x.grad, w.grad

    return snippet


@pytest.mark.parametrize("where", ["tensor", "pre", "post", "x", "w", "accumulated x", "accumulated w"])
def test_a_hook_that_raises(where):
    """HK-18: the exception comes out, and `.grad` and what was saved are as PyTorch leaves them."""
    assert outcome(refgrad, raising(where)) == outcome(torch, raising(where))


@same()
def a_pass_within_a_pass(torch, log):
    a = leaf(torch, 1.0, 2.0)
    b = a * 2

    def hook(g):
        with torch.enable_grad():
            q = leaf(torch, 3.0)
            q.register_hook(told(log, "inner"))
            (q * q).sum().backward()
            log.append(q.grad)

    b.register_hook(hook)
    b.sum().backward()
    return a.grad


@same()
def a_pass_a_hundred_passes_deep(torch, log):
    def nested(depth):
        def hook(g):
            if depth:
                with torch.enable_grad():
                    q = leaf(torch, 1.0) * 1
                    q.register_hook(nested(depth - 1))
                    q.sum().backward()
            else:
                log.append("bottom")

        return hook

    x = leaf(torch, 1.0)
    y = x * 1
    y.register_hook(nested(100))
    y.sum().backward()
    return x.grad


@same()
def freezing_keeps_hooks(torch, log):
    x = leaf(torch, 1.0)
    x.register_hook(told(log, "hook"))
    x.requires_grad_(False)
    x.requires_grad_(True)
    (x * 2).sum().backward()


@same()
def hooks_of_leaves_that_finish_together(torch, log):
    leaves = [leaf(torch, float(i)) for i in range(3)]
    for i, x in enumerate(leaves):
        x.register_hook(told(log, f"leaf {i}"))
    torch.cat(leaves).sum().backward()


@same()
def a_leaf_finishes_before_older_nodes_run(torch, log):
    x, w = leaf(torch, 1.0), leaf(torch, 2.0)
    early = x * 2
    early.register_hook(told(log, "early"))
    late = early * w
    w.register_hook(told(log, "w"))
    w.register_post_accumulate_grad_hook(lambda p: log.append(("x", x.grad)))
    late.sum().backward()


@same()
def a_hook_sees_the_gradients_that_were_complete_before(torch, log):
    x, w, v = leaf(torch, 1.0), leaf(torch, 2.0), leaf(torch, 3.0)
    first = x * w
    x.register_post_accumulate_grad_hook(lambda p: log.append([q.grad for q in (x, w, v)]))
    ((first * v) + w).sum().backward()
    return w.grad, v.grad


@same.each()
def test_both_do_the_same(snippet, raises):
    """HK-1 to HK-19."""
    agree(torch, snippet, raises)


def test_hooks_make_no_cycles():
    """Without the collector a graph with hooks goes with the last tensor that refers to it."""
    gc.collect()
    gc.disable()
    try:
        for run in (False, True):
            x = leaf(refgrad, 1.0, 2.0)
            y = x * 2
            x.register_hook(lambda g: None)
            y.register_hook(lambda g: g)
            y.grad_fn.register_hook(lambda sent, got: None)
            y.retain_grad()
            ends = [weakref.ref(x), weakref.ref(y)]
            if run:
                y.sum().backward()
            del x, y
            assert [end() for end in ends] == [None, None]
    finally:
        gc.enable()


WRONG = {
    "hooks of tensors are forgotten": ("refgrad.walk.run_tensor_hooks", lambda extras, gs: gs),
    "a hook's answer is forgotten": ("refgrad.hooks._taken", lambda held, answer, hook, g: g),
    "nothing is retained": ("refgrad.walk.retain", lambda extras, gs, create: None),
    "hooks before the node are forgotten": ("refgrad.walk.run_pre_hooks", lambda hooks, gs: gs),
    "hooks after the node are forgotten": ("refgrad.walk.run_post_hooks", lambda hooks, sent, gs: sent),
    "nobody is told of accumulation": ("refgrad.walk.run_accumulated", lambda hooks, leaf: None),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_noticed(wrong, monkeypatch):
    """An engine that leaves out a kind of hook differs from PyTorch in the snippet that orders them all."""
    monkeypatch.setattr(*WRONG[wrong])
    with pytest.raises(AssertionError):
        agree(torch, the_order_of_all_in_backward, None)
