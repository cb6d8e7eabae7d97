"""AN: anomaly detection."""

# ruff: noqa: D103 (a snippet says its sentence itself)
import re
import threading
import warnings

import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .side_by_side import Table, agree, leaf, outcome  # noqa: E402

same = Table()


def root_of_negative(torch):
    return leaf(torch, -1.0, 4.0).sqrt().sum()


FAILING = {
    "a root of a negative number": root_of_negative,
    "a factor": lambda torch: (leaf(torch, 1.0) * float("nan")).sum(),
    "the second input": lambda torch: (
        torch.ones(1, dtype=torch.float64) * leaf(torch, 1.0) * 1 - leaf(torch, -1.0).log().sqrt()
    ).sum(),
    "one of several outputs": lambda torch: (leaf(torch, 1.0, -1.0).sqrt().split(1)[1]).sum(),
}


@pytest.mark.parametrize("name", FAILING)
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("forward", [True, False])
def test_nan_in_backward(name, check, forward):
    """AN-1 to AN-4, AN-6: the function and the output are named, and the op that made it is shown."""

    def snippet(torch, log):
        if not forward:
            y = FAILING[name](torch)
        with torch.autograd.detect_anomaly(check_nan=check):
            if forward:
                y = FAILING[name](torch)
            y.backward()

    theirs, mine = outcome(torch, snippet), outcome(refgrad, snippet)
    assert {**mine, "warnings": None} == {**theirs, "warnings": None}
    assert [told(w) for w in mine["warnings"]] == [told(w) for w in theirs["warnings"]]
    assert (mine["raised"] is not None) is check


def told(warning):
    """A warning without the places of frames in PyTorch's and our own files."""
    category, text = warning
    frames = re.findall(r'  File "([^"]*)", line (\d+), in (\w+)\n    (.*)\n', text)
    ours = [
        f for f in frames if "/torch/" not in f[0] and "/refgrad/" not in f[0].replace("/tests/refgrad/", "")
    ]
    return category, re.sub(r'  File "[^"]*", line \d+, in .*\n    .*\n', "", text), ours


def test_the_traceback_ends_in_the_user_s_line():
    """AN-3: the last frame is the line of the op, as in PyTorch."""
    found = []
    for library in (torch, refgrad):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(RuntimeError), library.autograd.detect_anomaly():
                root_of_negative(library).backward()
        text = str(caught[-1].message)
        found.append(re.findall(r"  File .*\n    .*\n", text)[-1])
    assert found[0] == found[1]
    assert "leaf(torch, -1.0, 4.0).sqrt().sum()" in found[0]


@same()
def flags(torch, log):
    def see():
        log.append((torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()))

    see()
    torch.autograd.set_detect_anomaly(True)
    see()
    with torch.autograd.set_detect_anomaly(False):
        see()
    see()
    torch.autograd.set_detect_anomaly(False)
    see()
    with torch.autograd.set_detect_anomaly(True, False):
        see()
    with torch.autograd.detect_anomaly(check_nan=False):
        see()
        with torch.autograd.detect_anomaly():
            see()
        see()
    see()


@same()
def restored_after_an_error(torch, log):
    try:
        with torch.autograd.detect_anomaly():
            raise KeyError
    except KeyError:
        pass
    log.append(torch.is_anomaly_enabled())


@same()
def metadata_while_it_is_on(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with torch.autograd.set_detect_anomaly(True):
        y = x * x
        (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        z = leaf(torch, 1.0) * 2
    log.append((sorted(y.grad_fn.metadata), sorted(g.grad_fn.metadata)))
    log.append(g.grad_fn.metadata["parent_"] is y.grad_fn)
    log.append(sorted(z.grad_fn.next_functions[0][0].metadata))
    log.append(sorted((x * x).grad_fn.metadata))
    return g


@same()
def other_threads_detect_too(torch, log):
    with torch.autograd.set_detect_anomaly(True):
        thread = threading.Thread(
            target=lambda: log.append(
                (torch.is_anomaly_enabled(), sorted((leaf(torch, 1.0) * 2).grad_fn.metadata))
            )
        )
        thread.start()
        thread.join()


@same()
def an_error_in_a_hook_is_traced(torch, log):
    for forward in (True, False):
        torch.autograd.set_detect_anomaly(forward)
        x = leaf(torch, 1.0)
        y = x * 2
        y.register_hook(lambda g: 1 / 0)
        torch.autograd.set_detect_anomaly(True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                y.sum().backward()
            except ZeroDivisionError as error:
                log.append(str(error))
        torch.autograd.set_detect_anomaly(False)
        log.append([str(w.message).split(".")[0] for w in caught])


@same()
def an_error_at_a_leaf_is_traced(torch, log):
    x = leaf(torch, 1.0)
    y = (x * 2).sum()
    x.register_hook(lambda g: 1 / 0)
    with warnings.catch_warnings(record=True) as caught, torch.autograd.set_detect_anomaly(True):
        warnings.simplefilter("always")
        try:
            y.backward()
        except ZeroDivisionError as error:
            log.append(str(error))
    log.append([str(w.message).split(" (")[0] for w in caught])


@same()
def nothing_changes_where_nothing_is_wrong(torch, log):
    x = leaf(torch, 1.0, 2.0)
    with torch.autograd.set_detect_anomaly(True):
        ((x * x).exp() + x.max(0)[0]).sum().backward()
        g = torch.autograd.grad((x * x).sum(), x)
    return x.grad, g


@same.each()
def test_both_do_the_same(snippet, raises):
    """AN-1 to AN-6."""
    agree(torch, snippet, raises)


def induced(torch):
    """A formula that fails only when it is differentiated: the node of a node."""
    x = leaf(torch, 0.0, 4.0)
    y = x.abs().pow(1.5).sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    h.sum().backward()


def test_what_induced_an_error_is_named():
    """A second warning names the node in whose backward the failing node was made, in the same words."""
    texts = []
    for library in (torch, refgrad):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with (
                pytest.raises(RuntimeError, match="returned nan values") as error,
                library.autograd.detect_anomaly(),
            ):
                induced(library)
        texts.append(
            [str(error.value), *(re.sub(r"  File .*", "", str(w.message), flags=re.S) for w in caught)]
        )
    assert texts[0] == texts[1]
    assert "Previous calculation was induced by PowBackward0" in texts[1][-1]


@pytest.mark.parametrize(
    ("target", "wrong"),
    [
        ("refgrad.anomaly.check_nan", lambda node, answers: None),
        ("refgrad.anomaly.report", lambda node: None),
        ("refgrad.saved.anomaly.remember", lambda node: None),
    ],
)
def test_what_is_wrong_is_noticed(target, wrong, monkeypatch):
    """No error, no warning, or no traceback is not what PyTorch does."""
    monkeypatch.setattr(target, wrong)
    with pytest.raises(AssertionError):
        test_nan_in_backward("a factor", True, True)


def test_a_traceback_is_kept_only_while_it_is_on():
    """What is off costs nothing: no metadata, and no extras, on plain nodes."""
    x = leaf(refgrad, 1.0)
    with refgrad.autograd.set_detect_anomaly(True):
        y = x * 2
    assert "y = x * 2" in y.grad_fn.metadata["traceback_"][-1]
    assert (x * 2).grad_fn.extras is None
