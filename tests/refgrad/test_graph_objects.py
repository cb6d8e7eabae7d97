"""NO: nodes, their edges, and what they show of what they saved."""

# ruff: noqa: D103 (a snippet says its sentence itself)
import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .side_by_side import Table, agree, leaf, told  # noqa: E402

same = Table()


@same()
def nodes_of_results_and_of_leaves(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    end = y.grad_fn.next_functions[0][0]
    log.append([isinstance(n, torch.autograd.graph.Node) for n in (y.grad_fn, end)])
    log.append((x.grad_fn, torch.ones(1).grad_fn, (torch.ones(1) * 2).grad_fn))
    log.append((y.grad_fn.name(), end.name(), y.grad_fn.requires_grad, end.requires_grad))
    log.append([repr(n).split(" at ")[0] for n in (y.grad_fn, end)])
    return end.variable is x


@same()
def next_functions(torch, log):
    x, w = leaf(torch, 1.0, 2.0), torch.ones(2)
    for y in (
        x * w,
        w * x,
        x * x,
        x + 1,
        (x * 2).exp(),
        x.sum(),
        torch.cat([x, w.double(), x]),
        torch.where(w > 0, x, w),
    ):
        log.append([(None if node is None else node.name(), nr) for node, nr in y.grad_fn.next_functions])
    a, b = x.split(1)
    log.append((b * a).grad_fn.next_functions[0][1])
    log.append((a.output_nr, b.output_nr, a.grad_fn is b.grad_fn))


@same()
def a_leaf_has_one_node_while_that_is_alive(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y, z = x * 2, x.exp()
    end = y.grad_fn.next_functions[0][0]
    log.append(end is z.grad_fn.next_functions[0][0])
    log.append(y.grad_fn is y.grad_fn)
    y.sum().backward()
    log.append((x + 1).grad_fn.next_functions[0][0] is end)


@same()
def metadata_is_a_dict_to_write_to(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    log.append(dict(y.grad_fn.metadata))
    y.grad_fn.metadata["note"] = 1
    log.append(dict(y.grad_fn.metadata))
    end = y.grad_fn.next_functions[0][0]
    end.metadata["note"] = 2
    y.sum().backward()
    return y.grad_fn.metadata, end.metadata, x.grad


@same()
def what_nodes_know_of_their_outputs(torch, log):
    x = leaf(torch, 1.0, 2.0)
    for node in (
        (x * 2).grad_fn,
        x.split(1)[0].grad_fn,
        (x * 2).grad_fn.next_functions[0][0],
        x.sum().grad_fn,
    ):
        log.append([(tuple(m.shape), str(m.dtype)) for m in node._input_metadata])


@same()
def numbers_rise(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * 2
    z = y * 2
    log.append(z.grad_fn._sequence_nr() > y.grad_fn._sequence_nr())
    return y.grad_fn.next_functions[0][0]._sequence_nr()


@same()
def a_saved_input_is_the_tensor_and_a_saved_output_is_not(torch, log):
    x = leaf(torch, 1.0, 2.0)
    n = x * 1
    y, z = x * n, x.exp()
    log.append((y.grad_fn._saved_self is x, y.grad_fn._saved_other is n))
    log.append(
        (z.grad_fn._saved_result is z, z.grad_fn._saved_result, z.grad_fn._saved_result.grad_fn is z.grad_fn)
    )
    log.append((x * 2).grad_fn._saved_self)
    log.append((x**3).grad_fn._saved_exponent)
    s = x.sum(0)
    log.append(tuple(s.grad_fn._saved_self_sym_sizes))


@same(RuntimeError)
def what_was_saved_is_gone_after_backward(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    y.sum().backward()
    log.append(y.grad_fn.name())
    y.grad_fn._saved_self  # noqa: B018


@same(AttributeError)
def nothing_is_saved_under_another_name(torch, log):
    (leaf(torch, 1.0) * 2).grad_fn._saved_input  # noqa: B018


@same(AttributeError)
def a_setting_has_no_raw_form(torch, log):
    (leaf(torch, 1.0) ** 2).grad_fn._raw_saved_exponent  # noqa: B018


@same()
def names_of_what_was_saved_are_listed(torch, log):
    x = leaf(torch, 1.0, 2.0)
    for y in (x * x, x.exp(), x + 1, x**2):
        log.append(sorted(n for n in dir(y.grad_fn) if n.startswith(("_saved_", "_raw_saved_"))))


@same()
def a_node_can_be_called(torch, log):
    x = leaf(torch, 1.0, 2.0)
    g = torch.ones(2, dtype=torch.float64)
    log.append((x * 3).grad_fn(g))
    log.append(x.exp().grad_fn(g))
    log.append((x * x).grad_fn(None))
    log.append(x.split(1)[0].grad_fn(torch.ones(1, dtype=torch.float64), None))
    with torch.no_grad():
        log.append((x * x).detach())
    y = x * x
    called = y.grad_fn
    called.register_hook(told(log, "never"))
    log.append([called(g), called(g)])
    log.append((x * 3).grad_fn.next_functions[0][0](g))
    return x.grad


@same()
def calling_a_node_makes_a_graph(torch, log):
    x = leaf(torch, 1.0, 2.0)
    g = leaf(torch, 1.0, 1.0)
    (a, b) = (x * x).grad_fn(g)
    log.append((a, b))
    (a.sum() + b.sum()).backward()
    return x.grad, g.grad


@same(TypeError)
def calling_a_node_with_too_many(torch, log):
    g = torch.ones(1)
    (leaf(torch, 1.0) * 2).grad_fn(g, g)


@same(TypeError)
def calling_a_node_with_none_at_all(torch, log):
    (leaf(torch, 1.0) * 2).grad_fn()


@same(TypeError)
def calling_a_node_with_text(torch, log):
    (leaf(torch, 1.0) * 2).grad_fn("text")


@same(TypeError)
def calling_a_node_by_name(torch, log):
    (leaf(torch, 1.0) * 2).grad_fn(torch.ones(1), g=1)


@same(RuntimeError)
def calling_a_node_that_was_freed(torch, log):
    y = leaf(torch, 1.0).exp()
    y.sum().backward()
    y.grad_fn(torch.ones(1, dtype=torch.float64))


@same()
def an_edge_stands_for_its_tensor(torch, log):
    edge = torch.autograd.graph.get_gradient_edge
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    s = y.sum()
    log.append((edge(y).node is y.grad_fn, edge(y).output_nr, edge(x).node.name(), edge(x).ownership_token))
    log.append(torch.autograd.grad(s, [edge(y), edge(x), x], retain_graph=True))
    log.append(torch.autograd.grad(edge(s), x, retain_graph=True))
    g = torch.ones(2, dtype=torch.float64)
    log.append(torch.autograd.grad(edge(y), x, g, retain_graph=True))
    log.append(torch.autograd.grad([edge(y), edge(s)], edge(x), [g, None], retain_graph=True))
    log.append(torch.autograd.grad(s, torch.autograd.graph.GradientEdge(y.grad_fn, 0), retain_graph=True))
    torch.autograd.backward(edge(s), retain_graph=True)
    log.append(x.grad)
    s.backward(inputs=[edge(x)], retain_graph=True)
    s.backward(inputs=edge(y), retain_graph=True)
    return x.grad, edge(x) == edge(x)


@same()
def an_edge_of_an_output_among_several(torch, log):
    x = leaf(torch, 1.0, 2.0, 3.0)
    a, b, c = x.split(1)
    edge = torch.autograd.graph.get_gradient_edge(b)
    log.append(edge.output_nr)
    return torch.autograd.grad((a * b * c).sum(), edge, retain_graph=True), torch.autograd.grad(edge, x)


@same(RuntimeError)
def an_edge_needs_a_gradient(torch, log):
    torch.autograd.graph.get_gradient_edge(torch.ones(1))


@same(RuntimeError)
def an_edge_as_root_needs_one_element(torch, log):
    y = leaf(torch, 1.0, 2.0) * 2
    torch.autograd.backward(torch.autograd.graph.get_gradient_edge(y))


@same(RuntimeError)
def an_edge_as_root_has_a_shape(torch, log):
    y = leaf(torch, 1.0, 2.0) * 2
    torch.autograd.backward(torch.autograd.graph.get_gradient_edge(y), torch.ones(3))


@same(RuntimeError)
def an_edge_is_no_tuple(torch, log):
    y = leaf(torch, 1.0, 2.0) * 2
    torch.autograd.grad(y.sum(), (y.grad_fn, 0))


@same(RuntimeError)
def an_edge_has_no_zeros(torch, log):
    x, other = leaf(torch, 1.0), leaf(torch, 2.0)
    edge = torch.autograd.graph.get_gradient_edge(other)
    torch.autograd.grad((x * 2).sum(), edge, materialize_grads=True)


@same.each()
def test_both_do_the_same(snippet, raises):
    """NO-1 to NO-6, BW-19, GR-13."""
    agree(torch, snippet, raises)


@pytest.mark.parametrize(
    ("target", "wrong", "snippet"),
    [
        ("refgrad.graph.leaf_node", None, a_leaf_has_one_node_while_that_is_alive),
        ("refgrad.graph.Node.next_functions", property(lambda self: ()), calling_a_node_makes_a_graph),
    ],
)
def test_what_is_wrong_is_noticed(target, wrong, snippet, monkeypatch):
    """A leaf with a new node for each use, and edges that are not shown, differ from PyTorch."""
    for module in ("graph.leaf_node", "record.leaf_node", "quick.leaf_node"):
        if wrong is None:
            monkeypatch.setattr(f"refgrad.{module}", refgrad.graph.AccumulateGrad)
    if wrong is not None:
        monkeypatch.setattr(target, wrong)
        monkeypatch.setattr("refgrad.opnode.OpNode.next_functions", wrong)
    with pytest.raises(AssertionError):
        agree(torch, snippet, None)
