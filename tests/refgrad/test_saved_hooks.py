"""SH: hooks for saved tensors."""

# ruff: noqa: D103 (a snippet says its sentence itself)
import threading

import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .side_by_side import Table, agree, leaf, outcome, shown, told  # noqa: E402

same = Table()


def packing(torch, log):
    """A pair of hooks that note what they see."""

    def pack(t):
        log.append(("pack", shown(t), t.requires_grad, torch.is_grad_enabled()))
        return t.detach()

    def unpack(t):
        log.append(("unpack", shown(t), torch.is_grad_enabled()))
        return t

    return torch.autograd.graph.saved_tensors_hooks(pack, unpack)


def twice(function):
    """A function under the hooks, its gradient, and the gradient of that."""

    def snippet(torch, log):
        x = leaf(torch, 1.0, 2.0)
        with packing(torch, log):
            y = function(torch, x)
        log.append("forward is done")
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        log.append(g.requires_grad)
        return g, torch.autograd.grad(g.sum(), x)[0] if g.requires_grad else None

    return snippet


FUNCTIONS = {
    "mul": lambda torch, x: x * x,
    "exp": lambda torch, x: x.exp(),
    "number": lambda torch, x: x * 2.0,
    "pow": lambda torch, x: x**3,
    "add": lambda torch, x: x + 1,
    "constant": lambda torch, x: x * torch.ones(2, dtype=torch.float64),
    "composed": lambda torch, x: (x * x).exp() * x,
    "max": lambda torch, x: (x * 1.0).max(0)[0],
    "mm": lambda torch, x: torch.mm(x.reshape(1, 2), x.reshape(2, 1)),
    "sigmoid": lambda torch, x: (x - x).sigmoid() * x,
    "promoted": lambda torch, x: x * torch.ones(2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_goes_through_the_hooks(name):
    """SH-1, SH-5, SH-6, SH-11: the same tensors in the same order, and gradients of both orders."""
    agree(torch, twice(FUNCTIONS[name]), None)


@same()
def saved_tensors_are_other_objects(torch, log):
    x = leaf(torch, 1.0, 2.0)
    n = x * 1
    for pack in (lambda t: t.detach(), lambda t: t):
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
            y, z, w = x * x, n.exp(), n * n
        saved = y.grad_fn._saved_self
        log.append(
            (saved is x, saved is y.grad_fn._saved_other, saved.requires_grad, saved.is_leaf, saved.grad_fn)
        )
        log.append((z.grad_fn._saved_result is z, z.grad_fn._saved_result.grad_fn is z.grad_fn))
        log.append(w.grad_fn._saved_self.grad_fn is n.grad_fn)
    y = x * x
    log.append((y.grad_fn._saved_self is x, y.grad_fn._saved_other is x))


@same()
def anything_may_be_packed(torch, log):
    x = leaf(torch, 1.0, 2.0)
    store = {}

    def pack(t):
        store[len(store)] = t.detach()
        return f"number {len(store) - 1}"

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda name: store[int(name.split()[1])]):
        y = x * x
    y.sum().backward()
    return x.grad, len(store)


@same()
def what_is_unpacked_is_believed(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: None, lambda t: torch.full((2,), 7.0, dtype=torch.float64)
    ):
        y = x * x
    y.sum().backward()
    return x.grad


@same(TypeError)
def what_is_unpacked_is_a_tensor(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: "text"):
        y = x * x
    y.sum().backward()


@same(TypeError)
def none_is_no_tensor(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: None):
        y = x.exp()
    y.sum().backward(create_graph=True)


@same(RuntimeError)
def what_is_unpacked_has_a_shape(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: torch.ones(3, dtype=torch.float64)):
        y = x * x
    torch.autograd.grad(y.sum(), x, create_graph=True)


@same(ZeroDivisionError)
def packing_raises(torch, log):
    x = leaf(torch, 1.0, 2.0)
    try:
        with torch.autograd.graph.saved_tensors_hooks(lambda t: 1 / 0, lambda t: t):
            x.exp()
    finally:
        log.append(torch.is_grad_enabled())
        log.append((x * x).grad_fn._saved_self is x)


@same()
def unpacking_raises(torch, log):
    x, w = leaf(torch, 1.0, 2.0), leaf(torch, 1.0, 2.0)
    y = x * w
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.detach(), lambda t: 1 / 0):
        z = y * y
    try:
        (z + w).sum().backward()
    except ZeroDivisionError as error:
        log.append(str(error))
    return x.grad, w.grad, y.grad_fn._saved_self


@same()
def the_innermost_pair_applies(torch, log):
    x = leaf(torch, 1.0, 2.0)
    hooks = torch.autograd.graph.saved_tensors_hooks
    with hooks(told(log, "outer", lambda t: t.detach()), told(log, "outer un", lambda t: t)):
        with hooks(told(log, "inner", lambda t: t.detach()), told(log, "inner un", lambda t: t)):
            y = x.exp()
        z = y.sin()
    w = z.cos()
    w.sum().backward()
    return x.grad


@same()
def nothing_is_recorded_while_packing(torch, log):
    x = leaf(torch, 1.0, 2.0)

    def pack(t):
        log.append(("pack", (t * t).requires_grad))
        return t.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        x * x


@same()
def nothing_is_packed_where_nothing_is_saved(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with packing(torch, log):
        with torch.no_grad():
            x * x
        torch.ones(2) * torch.ones(2)
        with torch.no_grad(), torch.enable_grad():
            (x * x).sum().backward()
        torch.set_grad_enabled(False)
        torch.set_grad_enabled(True)
        x.exp()
    return x.grad


@same()
def the_graph_of_a_pass_is_packed_too(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    with packing(torch, log):
        (g,) = torch.autograd.grad(y.sum(), x, torch.tensor(1.0, dtype=torch.float64), create_graph=True)
        z = g.exp()
    return torch.autograd.grad(z.sum(), x)


@same()
def a_saved_tensor_gets_hooks_of_its_own(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x * x
    raw = y.grad_fn._raw_saved_self
    log.append(type(raw).__name__)
    raw.register_hooks(told(log, "pack", lambda t: t.detach()), told(log, "unpack", lambda t: t))
    log.append(y.grad_fn._saved_self)
    log.append(y.grad_fn._saved_other is x)
    y.sum().backward()
    return x.grad


@same()
def a_saved_output_gets_hooks_of_its_own(torch, log):
    x = leaf(torch, 1.0, 2.0)
    y = x.exp()
    y.grad_fn._raw_saved_result.register_hooks(told(log, "pack", lambda t: t.detach() * 1), lambda t: t)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return g, torch.autograd.grad(g.sum(), x)


@same(RuntimeError)
def hooks_are_registered_once(torch, log):
    y = leaf(torch, 1.0).exp()
    for _ in range(2):
        y.grad_fn._raw_saved_result.register_hooks(lambda t: t.detach(), lambda t: t)


@same(RuntimeError)
def hooks_of_the_context_are_hooks(torch, log):
    with packing(torch, log):
        y = leaf(torch, 1.0).exp()
    y.grad_fn._raw_saved_result.register_hooks(lambda t: t, lambda t: t)


@same(RuntimeError)
def hooks_are_registered_before_the_tensor_is_freed(torch, log):
    y = leaf(torch, 1.0).exp()
    raw = y.grad_fn._raw_saved_result
    y.sum().backward()
    raw.register_hooks(lambda t: t, lambda t: t)


@same(RuntimeError)
def none_gets_no_hooks(torch, log):
    (leaf(torch, 1.0) * 2).grad_fn._raw_saved_self.register_hooks(lambda t: t, lambda t: t)


@same(RuntimeError)
def hooks_may_be_disabled(torch, log):
    with (
        torch.autograd.graph.disable_saved_tensors_hooks("not here"),
        torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    ):
        log.append("never")


@same(RuntimeError)
def hooks_cannot_be_disabled_while_they_apply(torch, log):
    with packing(torch, log), torch.autograd.graph.disable_saved_tensors_hooks("not here"):
        log.append("never")


@same()
def disabling_ends(torch, log):
    graph = torch.autograd.graph
    with graph.disable_saved_tensors_hooks("outer"):
        with graph.disable_saved_tensors_hooks("inner"):
            pass
        try:
            with graph.save_on_cpu():
                log.append("never")
        except RuntimeError as error:
            log.append(str(error))
    with graph.save_on_cpu():
        log.append("again")


@same()
def saving_on_the_cpu_changes_nothing(torch, log):
    x = leaf(torch, 1.0, 2.0)
    for pin in (False, True):
        with torch.autograd.graph.save_on_cpu(pin_memory=pin):
            y = x * x
        log.append((torch.autograd.grad(y.sum(), x, retain_graph=True), y.grad_fn._saved_self is x))
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        log.append(torch.autograd.grad(g.sum(), x))


@same()
def hooks_belong_to_their_thread(torch, log):
    x = leaf(torch, 1.0, 2.0)

    def elsewhere():
        log.append((x * x).grad_fn._saved_self is x)

    with packing(torch, log):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()


@same()
def a_second_pass_unpacks_again(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with packing(torch, log):
        y = x.exp().sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad


@same(RuntimeError)
def what_was_packed_is_freed(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with packing(torch, log):
        y = x.exp().sum()
    y.backward()
    y.backward()


@same.each()
def test_both_do_the_same(snippet, raises):
    """SH-1 to SH-12."""
    agree(torch, snippet, raises)


@pytest.mark.parametrize("call", [(1, 2), (lambda t: t, None)])
def test_what_cannot_be_called(call):
    """TypeError on entering, in both libraries; PyTorch's text lists C++ types."""
    for library in (torch, refgrad):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            library.autograd.graph.saved_tensors_hooks(*call).__enter__()
        with pytest.raises(TypeError, match="incompatible function arguments"):
            leaf(library, 1.0).exp().grad_fn._raw_saved_result.register_hooks(*call)
    assert (leaf(refgrad, 1.0) * 2).requires_grad


def test_a_pack_hook_that_is_seen_to_write(monkeypatch):
    """SH-4: whatever counts the writes, a count that grows while packing is an error, in PyTorch's words."""
    x = leaf(torch, 1.0)
    with (
        pytest.raises(RuntimeError) as theirs,
        torch.autograd.graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t),
    ):
        (x * 1).exp()
    counts = iter(range(9))
    monkeypatch.setattr("refgrad.saved.version", lambda t: next(counts))
    with (
        pytest.raises(RuntimeError) as mine,
        refgrad.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t),
    ):
        leaf(refgrad, 1.0).exp()
    assert str(mine.value) == str(theirs.value)


@pytest.mark.skipif(not hasattr(refgrad.Tensor, "add_"), reason="writes in place")
@pytest.mark.parametrize("function", [lambda x: x.exp(), lambda x: (x * 1) * (x * 2)])
def test_a_pack_hook_that_writes(function):
    """SH-4: RuntimeError, in the same words."""

    def snippet(torch, log):
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t.add_(1), lambda t: t):
            function(leaf(torch, 1.0))

    agree(torch, snippet, RuntimeError)


WRONG = {
    "metadata is lost": ("refgrad.saved.placed", lambda array, edge: refgrad.Tensor(array)),
    "the hooks are recorded": ("refgrad.saved.no_grad", refgrad.enable_grad),
    "nobody watches": ("refgrad.saved.watch", lambda blocks: None),
    "nothing is unpacked for arrays": ("refgrad.opnode.unpacked", lambda value, node: 0.0),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_noticed(wrong, monkeypatch):
    """Each slip shows in a function of a saved output, in one of the two orders."""
    monkeypatch.setattr(*WRONG[wrong])
    snippets = twice(FUNCTIONS["composed"]), a_second_pass_unpacks_again
    assert any(outcome(refgrad, snippet) != outcome(torch, snippet) for snippet in snippets)
