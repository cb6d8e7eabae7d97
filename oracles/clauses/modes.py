"""Clauses on grad modes: no_grad, enable_grad, set_grad_enabled and inference_mode."""

from __future__ import annotations

import threading
from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

SET = "torch.set_grad_enabled"
INFERENCE = "torch.inference_mode"


@clause("GM-1", "notes/autograd › No-grad Mode")
def results_in_no_grad(torch: Any, claim: Claim) -> None:
    """In no_grad no result requires grad, whatever its inputs do; afterwards it may be used as a constant."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.no_grad():
        y = x * 2
    claim.true(not y.requires_grad, "the result requires no grad")
    claim.true(x.requires_grad, "the leaf still does")
    (x * y).sum().backward()
    claim.equal(x.grad, [2.0, 4.0])
    claim.none(y.grad)


@clause("GM-2", "torch.no_grad")
def as_a_decorator(torch: Any, claim: Claim) -> None:
    """no_grad is a context manager, and a decorator with parentheses or without."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    @torch.no_grad()
    def called(x: Any) -> Any:
        return x * 2

    @torch.no_grad
    def bare(x: Any) -> Any:
        return x * 2

    claim.true(not called(x).requires_grad, "not within a function under no_grad()")
    claim.true(not bare(x).requires_grad, "not within a function under no_grad")
    claim.true((x * 2).requires_grad, "recorded outside of them")


@clause("GM-3", "torch.enable_grad")
def enabled_within(torch: Any, claim: Claim) -> None:
    """enable_grad records again within no_grad and within set_grad_enabled(False)."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    for disabled in (torch.no_grad(), torch.set_grad_enabled(False)):
        with disabled:
            with torch.enable_grad():
                claim.true((x * 2).requires_grad, "recorded within enable_grad")
            claim.true(not (x * 2).requires_grad, "not recorded after it")


@clause("GM-4", SET)
def set_at_once(torch: Any, claim: Claim) -> None:
    """set_grad_enabled sets the mode when it is called; as a context manager it brings the former mode back."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    torch.set_grad_enabled(False)
    claim.true(not torch.is_grad_enabled(), "off when called")
    claim.true(not (x * 2).requires_grad, "nothing is recorded")
    with torch.set_grad_enabled(True):
        claim.true((x * 2).requires_grad, "recorded within")
    claim.true(not torch.is_grad_enabled(), "off again after the block")
    torch.set_grad_enabled(True)
    claim.true((x * 2).requires_grad, "recorded when switched on")


@clause("GM-5", "torch.set_grad_enabled (behaviour)")
def decorating_sets_nothing(torch: Any, claim: Claim) -> None:
    """Decorating with set_grad_enabled leaves the mode where the function is defined as it was."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    @torch.set_grad_enabled(False)
    def double(x: Any) -> Any:
        return x * 2

    claim.true(torch.is_grad_enabled(), "on where the function is defined")
    claim.true(not double(x).requires_grad, "off within it")
    claim.true(torch.is_grad_enabled(), "on after it")


@clause("GM-6", "torch.no_grad")
def one_mode_a_thread(torch: Any, claim: Claim) -> None:
    """The mode belongs to the thread: a new one begins with recording on."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    found = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: found.append((x * 2).grad_fn is not None))
        thread.start()
        thread.join()
        claim.equal(found, [True])
        claim.none((x * 2).grad_fn)


@clause("GM-7", "torch.no_grad")
def left_by_an_exception(torch: Any, claim: Claim) -> None:
    """The former mode comes back when an exception leaves the block."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with claim.raises(KeyError), torch.no_grad():
        raise KeyError
    claim.true((x * 2).requires_grad, "recorded after no_grad")
    with claim.raises(KeyError), torch.no_grad(), torch.enable_grad():
        raise KeyError
    claim.true((x * 2).requires_grad, "recorded after both")


@clause("GM-8", "torch.no_grad (behaviour)")
def generators(torch: Any, claim: Claim) -> None:
    """A generator under no_grad runs each of its steps so, and its caller keeps its own mode between them."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)

    @torch.no_grad()
    def steps() -> Any:
        while True:
            yield (x * 2).grad_fn

    running = steps()
    for _ in range(2):
        claim.none(next(running))
        claim.true((x * 2).grad_fn is not None, "recorded between its steps")


@clause("GM-9", "torch.no_grad")
def tangents_in_no_grad(torch: Any, claim: Claim) -> None:
    """no_grad does not concern forward mode: tangents go on."""
    forward = torch.autograd.forward_ad
    with forward.dual_level(), torch.no_grad():
        dual = forward.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        claim.equal(forward.unpack_dual(dual * 2).tangent, [6.0, 8.0])


@clause("GM-10", INFERENCE)
def inference_tensors(torch: Any, claim: Claim) -> None:
    """What is made in inference mode is an inference tensor, which counts no versions."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.inference_mode():
        made = torch.ones(2)
        y = x * 2
        claim.true(torch.is_inference_mode_enabled(), "the mode is on")
    claim.true(made.is_inference(), "it is an inference tensor")
    claim.true(y.is_inference(), "so is a result")
    claim.true(not y.requires_grad, "a result requires no grad")
    claim.true(not x.is_inference(), "what was made before is none")
    with claim.raises(RuntimeError, "do not track version counter"):
        made._version  # noqa: B018 - reading is what raises


@clause("GM-11", INFERENCE)
def never_saved(torch: Any, claim: Claim) -> None:
    """An inference tensor cannot be saved for backward; an op that saves nothing takes it."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.inference_mode():
        made = torch.ones(2)
    with claim.raises(RuntimeError, "inference tensors cannot be saved for backward"):
        x * made
    (x + made).sum().backward()
    claim.equal(x.grad, [1.0, 1.0])


@clause("GM-12", "notes/autograd › Inference Mode")
def never_written_outside(torch: Any, claim: Claim) -> None:
    """Outside of inference mode an inference tensor cannot be written into; within, it can."""
    with torch.inference_mode():
        made = torch.ones(2)
        made.add_(1)
    claim.equal(made, [2.0, 2.0])
    with claim.raises(RuntimeError, "inplace update to inference tensor outside inferencemode"):
        made.add_(1)


@clause("GM-13", INFERENCE)
def switched_off_within(torch: Any, claim: Claim) -> None:
    """inference_mode(False) within inference mode switches it off for its block."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with torch.inference_mode():
        with torch.inference_mode(False):
            y = x * 2
        claim.true(torch.ones(2).is_inference(), "on again after the block")
    claim.true(not y.is_inference(), "what the block made is no inference tensor")
    claim.true(y.requires_grad, "and was recorded")


@clause("GM-14", INFERENCE)
def writes_are_counted(torch: Any, claim: Claim) -> None:
    """A normal tensor that is written into in inference mode stays normal, and backward notices the write."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    a = torch.tensor([3.0, 4.0])
    y = x * a
    with torch.inference_mode():
        a.add_(1)
    claim.true(not a.is_inference(), "it is no inference tensor")
    claim.equal(a._version, 1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()


@clause("GM-15", "torch.is_inference")
def views_of_normal_tensors(torch: Any, claim: Claim) -> None:
    """A view that inference mode takes of a normal tensor is normal; grad mode refuses to write into it."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    with torch.inference_mode():
        view = y[:1]
    claim.true(not view.is_inference(), "it is no inference tensor")
    with claim.raises(RuntimeError, "a view was created in inference mode"):
        view.mul_(2)


@clause("GM-16", INFERENCE)
def no_tangents_in_inference(torch: Any, claim: Claim) -> None:
    """Inference mode switches forward mode off too."""
    forward = torch.autograd.forward_ad
    with forward.dual_level():
        dual = forward.make_dual(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0]))
        with torch.inference_mode():
            y = dual * 2
        claim.none(forward.unpack_dual(y).tangent)


@clause("GM-17", "notes/autograd › In-place (behaviour)")
def views_taken_in_no_grad(torch: Any, claim: Claim) -> None:
    """A view that no_grad took of what requires grad cannot be written into in grad mode."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    with torch.no_grad():
        view = y[:1]
    with claim.raises(RuntimeError, "a view was created in no_grad mode"):
        view.mul_(2)


@clause("GM-18", "torch.no_grad (behaviour)")
def steps_of_optimizers(torch: Any, claim: Claim) -> None:
    """In no_grad a leaf may be written into: it stays a leaf that requires grad, and the write is counted."""
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    with torch.no_grad():
        claim.same(x.sub_(1.0), x)
    claim.equal(x, [0.0, 1.0])
    claim.true(x.is_leaf and x.requires_grad, "it is a leaf that requires grad")
    claim.equal(x._version, 1)
    with claim.raises(RuntimeError, "modified by an inplace operation"):
        y.sum().backward()


@clause("GM-19", "torch.no_grad (behaviour)")
def classes(torch: Any, claim: Claim) -> None:
    """Decorating a class is deprecated and warns."""
    with claim.warns(FutureWarning, "decorating classes"):

        @torch.no_grad()
        class Model:
            pass


@clause("GM-20", "torch.inference_mode (behaviour)")
def results_of_inference_tensors(torch: Any, claim: Claim) -> None:
    """Outside of the mode, ops on inference tensors give normal tensors, and their views stay inference tensors."""
    with torch.inference_mode():
        made = torch.ones(2)
    claim.true(not (made * 2).is_inference(), "a result is normal")
    claim.true(made[:1].is_inference(), "a view is an inference tensor")
