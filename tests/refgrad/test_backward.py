"""BW and GR: `backward` and `grad` in all their arguments, and what they refuse."""

# ruff: noqa: D103 (a snippet says its sentence itself)
import types
from collections import OrderedDict

import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .side_by_side import Table, agree, leaf, outcome, told  # noqa: E402

same = Table()


def ones(torch, *size):
    return torch.ones(*size, dtype=torch.float64)


def rows(torch, *values):
    return torch.tensor(values, dtype=torch.float64)


@same()
def seeds_of_one_element(torch, log):
    x = leaf(torch, 3.0)
    x.backward()
    (x * x).backward()
    (x * x).reshape(1, 1).backward(None)
    (x * x).sum().backward(rows(torch, 2.0).sum())
    return x.grad


@same()
def seeds_of_another_dtype(torch, log):
    x = leaf(torch, 1.0, 2.0)
    (x * x).backward(torch.ones(2))
    (x * x).backward(torch.ones(2, dtype=torch.int64))
    (x * x).backward(torch.ones(2, dtype=torch.bool))
    return x.grad


@same()
def a_seed_is_not_kept(torch, log):
    x, g = leaf(torch, 3.0, 1.0), ones(torch, 2)
    x.backward(g)
    x.backward(g)
    return x.grad, g, x.grad is g


@same()
def a_seed_that_requires_grad(torch, log):
    x, g = leaf(torch, 1.0, 2.0), leaf(torch, 1.0, 1.0)
    y = x * x
    log.append(torch.autograd.grad(y, x, g, retain_graph=True))
    (first,) = torch.autograd.grad(y, x, g, create_graph=True)
    return first, torch.autograd.grad(first.sum(), g)


@same()
def several_roots(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y, s = x * x, x.sum()
    torch.autograd.backward([s, y, s], [None, ones(torch, 2), None])
    log.append(x.grad)
    log.append(torch.autograd.grad([x.sum(), (x * x).sum()], x))
    log.append(torch.autograd.grad([x, x], x, [ones(torch, 2), ones(torch, 2)]))
    torch.autograd.backward([])
    torch.autograd.backward((x.sum(),), (None,))
    return x.grad


@same()
def retaining_follows_create_graph(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x.exp().sum()
    y.backward(create_graph=True)
    y.backward(retain_graph=True)
    y.backward()
    try:
        y.backward()
    except RuntimeError as error:
        log.append(str(error))
    x.grad = None
    y = x.exp().sum()
    y.backward(create_graph=True, retain_graph=False)
    try:
        y.backward()
    except RuntimeError as error:
        log.append(str(error))


@same()
def graphs_that_saved_nothing_run_twice(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    return x.grad


@same()
def inputs_in_every_form(torch, log):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    y = x * w
    s = (y * y).sum()
    for inputs in (x, [x], (x,), {"x": x}, {"x": x, "y": y}, [y, y], [x, x], [y, x, w]):
        s.backward(retain_graph=True, inputs=inputs)
        log.append((x.grad, w.grad, y.retains_grad and y.grad))
    s.backward(None, True, False, [w])
    other = leaf(torch, 1.0)
    s.backward(inputs=[other])
    return x.grad, w.grad, other.grad


@same()
def inputs_with_create_graph(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    y.exp().sum().backward(inputs=[x, y], create_graph=True)
    log.append((x.grad, y.grad))
    x.grad.sum().backward(inputs=[x])
    return x.grad


@same()
def only_nodes_on_the_way_run(torch, log):
    x, w = leaf(torch, 1.0), leaf(torch, 2.0)
    y = x.exp()
    y.grad_fn.register_hook(told(log, "y"))
    z = w.exp()
    z.grad_fn.register_hook(told(log, "z"))
    s = (y * z).sum()
    s.backward(inputs=[x])
    log.append(z.grad_fn._saved_result)
    return x.grad, w.grad


@same()
def gradients_in_every_form(torch, log):
    x, w, other = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0), leaf(torch, 5.0)
    y = x * w
    s = (y * y).sum()
    g = torch.autograd.grad
    for inputs in (x, [x], (x, w), [y, x, y, x], {"x": x, "y": y}):
        log.append(g(s, inputs, retain_graph=True))
    log.append(g(s, [x, other], retain_graph=True, allow_unused=True))
    log.append(g(s, [x, other], retain_graph=True, materialize_grads=True))
    log.append(g(s, {"o": other}, retain_graph=True, materialize_grads=True))
    log.append(g(s, [other, y], None, True, False, True, True))
    log.append(g([], [x], allow_unused=True))
    log.append(g(x, x, ones(torch, 2)))
    log.append(g(s, x, retain_graph=3, create_graph=1))
    return x.grad, w.grad


@same()
def higher_orders(torch, log):
    x = leaf(torch, 0.5, 2.0)
    y = (x**5).sum()
    for _ in range(4):
        (g,) = torch.autograd.grad(y, x, create_graph=True)
        log.append(g)
        y = g.sum()


@same()
def batched(torch, log):
    x, other = leaf(torch, 1.0, 2.0), leaf(torch, 5.0)
    eye = rows(torch, [1.0, 0.0], [0.0, 1.0])
    g = torch.autograd.grad
    log.append(g(x * x, x, eye, is_grads_batched=True))
    log.append(g([x * x, x.sum()], [x], [eye, ones(torch, 2)], is_grads_batched=True))
    (made,) = g(x * x, x, eye, is_grads_batched=True, create_graph=True)
    log.append((made, g(made.sum(), x)))
    log.append(g(x * x, [x, other], eye, is_grads_batched=True, allow_unused=True))
    log.append(g(x * x, {"x": x, "o": other}, eye, is_grads_batched=True, materialize_grads=True))
    y = x.exp()
    log.append(g(y, x, rows(torch, [1.0, 2.0]), is_grads_batched=True, retain_graph=True))
    log.append(
        g(torch.autograd.graph.get_gradient_edge(y), x, rows(torch, [1.0, 2.0]), is_grads_batched=True)
    )
    return x.grad


@same(RuntimeError)
def batched_passes_free(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x.exp()
    for _ in range(2):
        log.append(torch.autograd.grad(y, x, rows(torch, [1.0, 2.0], [3.0, 4.0]), is_grads_batched=True))


@same()
def control_flow_changes(torch, log):
    x = leaf(torch, 1.0, 2.0)
    for turn in range(4):
        y = x * turn if turn % 2 else x.exp() * 0 + x
        y.sum().backward()
        log.append(x.grad)


@same()
def gradients_come_when_they_arrive(torch, log):
    x, w = leaf(torch, 1.0), leaf(torch, 1.0)
    log.append((x.grad, w.grad))
    (x * 2).sum().backward()
    log.append((x.grad, w.grad))
    x.grad = None
    (w * 2).sum().backward()
    return x.grad, w.grad


@same()
def a_leaf_frozen_after_it_was_used(torch, log):
    x, w = leaf(torch, 1.0), leaf(torch, 2.0)
    y = (x * w).sum()
    x.requires_grad_(False)
    y.backward()
    return x.grad, w.grad


def refused():
    """What `backward` and `grad` refuse, by name."""
    back, grad = "backward", "grad"

    def called(kind, *args, **settings):
        def snippet(torch, log):
            x = leaf(torch, 1.0, 2.0)
            y = x * x
            places = {
                "x": x,
                "y": y,
                "s": y.sum(),
                "plain": ones(torch, 2),
                "one": ones(torch, 1),
                "other": leaf(torch, 1.0),
                "ones2": ones(torch, 2),
                "ones3": ones(torch, 3),
                "scalar": ones(torch, 1).sum(),
                "empty": ones(torch, 0, 2),
                "int": torch.ones(1, dtype=torch.int64),
            }

            def read(value):
                if isinstance(value, str):
                    return places.get(value, value)
                if isinstance(value, list):
                    return [read(v) for v in value]
                if isinstance(value, dict):
                    return type(value)((k, read(v)) for k, v in value.items())
                return value

            function = getattr(torch.autograd, kind)
            proxy = settings.get("inputs") == "proxy"
            named = {
                k: types.MappingProxyType({"x": x}) if proxy and k == "inputs" else read(v)
                for k, v in settings.items()
            }
            try:
                log.append(function(*map(read, args), **named))
            finally:
                log.append((x.grad, torch.is_grad_enabled()))

        return snippet

    yield "no scalar", RuntimeError, called(back, "y")
    yield "another shape", RuntimeError, called(back, "y", "ones3")
    yield "a seed of text", TypeError, called(back, "y", "text")
    yield "a seed that is a list", TypeError, called(back, ["y"], [[1.0, 1.0]])
    yield "a seed that is a number", TypeError, called(back, ["s"], [1.0])
    yield "seeds that are a number", TypeError, called(back, "s", 1.0)
    yield "no gradient", RuntimeError, called(back, "one")
    yield "no gradient and no scalar", RuntimeError, called(back, "plain")
    yield "no gradient, integers", RuntimeError, called(back, "int")
    yield "no gradient in the second", RuntimeError, called(back, ["s", "one"])
    yield "too few seeds", RuntimeError, called(back, ["s", "s"], [None])
    yield "too many seeds", None, called(back, ["s"], [None, None, None])
    yield "no inputs", RuntimeError, called(back, "s", inputs=[])
    yield "no inputs in a dict", RuntimeError, called(back, "s", inputs={})
    yield "another mapping", TypeError, called(back, "s", inputs="proxy")
    yield "an ordered dict", TypeError, called(back, "s", inputs=OrderedDict(x="x"))
    yield "an input of None", RuntimeError, called(back, "s", inputs=[None])
    yield "an input of text", RuntimeError, called(back, "s", inputs=["text"])
    yield "an input without gradient", RuntimeError, called(back, "s", inputs=["plain"])
    yield "a root of text", AssertionError, called(back, ["text"])
    yield "a root of None", AssertionError, called(back, [None])
    yield "a root that is a number", TypeError, called(back, 3)
    yield "the old name", None, called(back, ["s"], grad_variables=["scalar"])
    yield "the old name and the new", RuntimeError, called(back, ["s"], [None], grad_variables=["scalar"])
    yield "grad: no gradient", RuntimeError, called(grad, "s", "plain")
    yield "grad: no gradient, unused allowed", RuntimeError, called(grad, "s", "plain", allow_unused=True)
    yield "grad: unused", RuntimeError, called(grad, "s", ["x", "other"])
    yield "grad: nothing was asked of", RuntimeError, called(grad, [], ["x"])
    yield (
        "grad: zeros and an error",
        ValueError,
        called(grad, "s", "x", materialize_grads=True, allow_unused=False),
    )
    yield "grad: no inputs", RuntimeError, called(grad, "s", [])
    yield "grad: no inputs in a dict", RuntimeError, called(grad, "s", {})
    yield "grad: another mapping", TypeError, called(grad, "s", inputs="proxy")
    yield "grad: an input of None", RuntimeError, called(grad, "s", [None])
    yield "grad: an input of text", RuntimeError, called(grad, "s", ["text"])
    yield "grad: only_inputs", None, called(grad, "s", "x", only_inputs=False)
    yield "grad: too few seeds", RuntimeError, called(grad, ["s", "s"], "x", [None])
    yield "grad: a seed that is a number", TypeError, called(grad, "s", "x", 1.0)
    yield "grad: seeds that are numbers", TypeError, called(grad, "s", "x", [1.0])
    yield "grad: a root without gradient", RuntimeError, called(grad, "plain", "x")
    yield "grad: a second root without", RuntimeError, called(grad, ["s", "plain"], "x")
    yield "batched: no rows", IndexError, called(grad, "y", "x", "empty", is_grads_batched=True)
    yield "batched: no dimension", IndexError, called(grad, "s", "x", "scalar", is_grads_batched=True)
    yield "batched: no seed", ValueError, called(grad, "s", "x", None, is_grads_batched=True)
    yield (
        "batched: of several lengths",
        ValueError,
        called(grad, ["s", "s"], "x", ["ones2", "ones3"], is_grads_batched=True),
    )


@pytest.mark.parametrize(("name", "raises", "snippet"), [pytest.param(*row, id=row[0]) for row in refused()])
def test_what_is_refused(name, raises, snippet):
    """BW-2, BW-3, BW-5, BW-7, BW-15, BW-17, GR-2 to GR-8, GR-12, GR-14: the same exception in the same words."""
    agree(torch, snippet, raises)


def test_a_wrong_shape_is_named_where_pytorch_slips():
    """PyTorch looks for the place of a later seed by comparing tensors, and cuts a row's shape; ours says the truth."""
    x = leaf(refgrad, 1.0, 2.0)
    with pytest.raises(
        RuntimeError, match=r"grad_output\[1\] has a shape of torch.Size\(\[3\]\) and output\[1\]"
    ):
        refgrad.autograd.backward([x.sum(), x], [None, ones(refgrad, 3)])
    with pytest.raises(
        RuntimeError, match=r"batch dimension.*grad_output\[0\] has a shape of torch.Size\(\[3\]\)"
    ):
        refgrad.autograd.grad(x * x, x, ones(refgrad, 3, 3), is_grads_batched=True)


@same()
def a_second_pass_leaves_what_was_complete(torch, log):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 3.0, 4.0)
    y = x.exp()
    y.sum().backward()
    s = (y * w).sum()
    try:
        s.backward()
    except RuntimeError as error:
        log.append(str(error))
    return x.grad, w.grad


@same()
def zeroed_gradients_are_zeros_or_none(torch, log):
    x, w = leaf(torch, 1.0), leaf(torch, 2.0)
    (x * w).sum().backward()
    x.grad = None
    (w * 2).sum().backward()
    log.append((x.grad, w.grad))
    x.grad = torch.zeros(1, dtype=torch.float64)
    held = x.grad
    (x * 3).sum().backward()
    return x.grad, held is x.grad, held.requires_grad


@same.each()
def test_both_do_the_same(snippet, raises):
    """BW-1 to BW-20, GR-1 to GR-14, AC-6, AC-8 to AC-10."""
    agree(torch, snippet, raises)


def test_the_cycle_is_warned_of():
    """BW-12: by `backward` with `create_graph`, not by `grad`."""
    x = leaf(refgrad, 1.0)
    with pytest.warns(UserWarning, match="reference cycle"):
        (x * x).sum().backward(create_graph=True)
    y = leaf(refgrad, 1.0)
    refgrad.autograd.grad((y * y).sum(), y, create_graph=True)


WRONG = {
    "seeds are lost": ("refgrad.walk.total", lambda held, g: g, several_roots),
    "all nodes run": ("refgrad.walk.Task.choose", lambda task, nodes: None, only_nodes_on_the_way_run),
    "nothing is freed": ("refgrad.opnode.OpNode.free", lambda node: None, retaining_follows_create_graph),
    "rows are not stacked": ("refgrad.backward.stack", lambda *rows, dim: rows[0], batched),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_noticed(wrong, monkeypatch):
    """Each slip shows in one of the snippets."""
    target, replacement, snippet = WRONG[wrong]
    monkeypatch.setattr(target, replacement)
    assert outcome(refgrad, snippet) != outcome(torch, snippet)
