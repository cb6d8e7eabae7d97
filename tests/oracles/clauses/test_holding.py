"""What becomes of a clause: every outcome, and what tells one from another."""

from __future__ import annotations

import types

import pytest
import torch

from oracles.clauses.claim import Claim, Unsupported, Violated, lacks, shown
from oracles.clauses.clause import Clause, clause, clauses
from oracles.clauses.holding import hold


def made(body, withdrawn=""):
    """A clause of this body that no catalogue has."""
    return Clause("BW-999", "A sentence.", "a page", body, withdrawn)


def test_a_true_claim_holds():
    """A body whose claims are true holds."""
    assert hold(made(lambda torch, claim: claim.equal(torch.tensor([1.0]), [1.0])), torch).outcome == "holds"


@pytest.mark.parametrize(
    ("body", "expected", "got"),
    [
        (lambda t, claim: claim.equal(t.tensor([1.0, 2.0]), [1.0, 3.0]), "[1.0, 3.0]", "[1.0, 2.0]"),
        (lambda t, claim: claim.equal(t.tensor([1.0]), 1.0), "1.0", "[1.0]"),
        (lambda t, claim: claim.equal(t.tensor(float("nan")), 1.0), "1.0", "nan"),
        (lambda t, claim: claim.none(3), "None", "3"),
        (lambda t, claim: claim.true(1 > 2, "one is more"), "one is more", "not so"),
        (lambda t, claim: claim.true("yes", "the flag is set"), "the flag is set", "'yes'"),
        (lambda t, claim: claim.different(t, t), "another object", "the same object"),
    ],
)
def test_a_false_claim_is_violated(body, expected, got):
    """What was expected and what there was are told."""
    held = hold(made(body), torch)
    assert (held.outcome, held.expected, held.got) == ("violated", expected, got)


def test_the_same_object_is_asked_for():
    """Equal is not the same."""

    def body(torch, claim):
        claim.same(torch.tensor([1.0]), torch.tensor([1.0]))

    assert hold(made(body), torch).outcome == "violated"


def raises(kind, words):
    """A body that expects this of a call that raises ValueError("no such thing")."""

    def body(torch, claim):
        with claim.raises(kind, words):
            raise ValueError("no such thing")

    return body


def test_exceptions_are_compared():
    """The kind and the words count, in any case of letters; raising nothing is no exception."""
    assert hold(made(raises(ValueError, "NO SUCH")), torch).outcome == "holds"
    assert hold(made(raises((TypeError, ValueError), "")), torch).outcome == "holds"
    assert hold(made(raises(ValueError, "other words")), torch).got == "ValueError: no such thing"
    assert hold(made(raises(TypeError, "")), torch).outcome == "violated"

    def silent(torch, claim):
        with claim.raises(ValueError):
            pass

    assert hold(made(silent), torch).got == "nothing raised"


def test_warnings_are_compared():
    """A warning of another kind or of other words is none."""

    def body(kind, words):
        def warned(torch, claim):
            with claim.warns(kind, words):
                torch.tensor(1.0, requires_grad=True).mul(2).grad  # noqa: B018 - reading it warns

        return warned

    assert hold(made(body(UserWarning, "not a leaf")), torch).outcome == "holds"
    assert hold(made(body(UserWarning, "something else")), torch).outcome == "violated"
    assert hold(made(body(DeprecationWarning, "")), torch).outcome == "violated"


def test_what_a_library_lacks_is_unsupported():
    """A missing attribute of the library's own, and NotImplementedError; not one that is missing from None."""
    assert hold(made(lambda t, claim: t.no_such_function()), torch).outcome == "unsupported"
    assert hold(made(lambda t, claim: t.tensor(1.0).no_such_method()), torch).outcome == "unsupported"
    assert hold(made(lambda t, claim: t.tensor(1.0).grad_fn.next_functions), torch).outcome == "errored"

    def refuses(torch, claim):
        raise NotImplementedError("no complex numbers")

    held = hold(made(refuses), torch)
    assert (held.outcome, held.reason) == ("unsupported", "no complex numbers")
    assert lacks(Unsupported("no hooks"), torch) == "no hooks"


def test_lacking_within_raises_is_no_violation():
    """A library without the function did not fail to raise."""

    def body(torch, claim):
        with claim.raises(RuntimeError):
            torch.no_such_function()

    assert hold(made(body), torch).outcome == "unsupported"


def test_an_unforeseen_exception_is_an_error():
    """It is told with where it came from."""
    held = hold(made(lambda t, claim: 1 // 0), torch)
    assert held.outcome == "errored"
    assert held.got.startswith("ZeroDivisionError")
    assert "test_holding" in held.reason


def test_a_body_must_claim_something():
    """A body that claims nothing can hold nothing."""
    assert hold(made(lambda t, claim: None), torch).outcome == "errored"


def test_withdrawn_is_not_run():
    """It says why."""
    held = hold(made(lambda t, claim: 1 // 0, "nobody can tell"), torch)
    assert (held.outcome, held.reason) == ("withdrawn", "nobody can tell")


def test_modes_do_not_leak():
    """A mode that a body leaves set is set in no other."""

    def body(torch, claim):
        torch.set_grad_enabled(False)
        claim.true(not torch.is_grad_enabled(), "it is off")

    assert hold(made(body), torch).outcome == "holds"
    assert torch.is_grad_enabled()


def test_declarations_are_checked():
    """An unknown topic, an id twice and a missing sentence are refused."""

    def body(torch, claim):
        """A sentence."""

    for name in ("XX-1", "BW", "BW-4"):
        with pytest.raises(TypeError, match=name):
            clause(name, "page")(body)
    with pytest.raises(TypeError, match="no sentence"):
        clause("BW-998", "page")(lambda torch, claim: None)
    assert "BW-998" not in clauses()


def test_lines_are_the_bodys_own():
    """Without signature and sentence."""
    lines = clauses()["BW-4"].lines
    assert lines.startswith("x = torch.tensor(")
    assert lines.endswith("claim.equal(x.grad, [7.0, 7.0])")


def test_values_are_shown_short():
    """On one line, and no longer than a line or two."""
    assert shown(torch.tensor([1.0])) == "[1.0]"
    assert len(shown(list(range(1000)))) == 200


def test_violated_passes_through_raises():
    """A claim within a block that expects an exception is still a claim."""
    claim = Claim(types.ModuleType("library"))
    with pytest.raises(Violated), claim.raises(AssertionError):
        claim.equal(1, 2)
