"""Grad modes."""

import threading

import pytest

import refgrad as torch


@pytest.fixture
def x():
    """A leaf that requires grad."""
    return torch.tensor([1.0], requires_grad=True)


def test_nothing_is_recorded_in_no_grad(x):
    """GM-1, GM-3: results do not require grad, unless recording is enabled again within."""
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
        assert torch.tensor([1.0], requires_grad=True).requires_grad
    assert (x * 2).requires_grad


@pytest.mark.parametrize("decorator", [torch.no_grad, torch.no_grad()])
def test_a_decorated_function_runs_in_the_mode(x, decorator):
    """GM-2: with and without parentheses, also when it calls itself."""

    @decorator
    def double(t, deep=True):
        return (t * 2) if not deep else double(t, deep=False)

    assert not double(x).requires_grad
    assert torch.is_grad_enabled()


def test_set_grad_enabled(x):
    """GM-4, GM-5: at once as a call, for a block as a manager, and never from decorating."""
    torch.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()

    @torch.set_grad_enabled(False)
    def double(t):
        return t * 2

    assert torch.is_grad_enabled()
    assert not double(x).requires_grad


def test_the_mode_is_restored_after_an_error():
    """GM-7: the previous mode comes back when the block raises."""
    with pytest.raises(ZeroDivisionError), torch.no_grad():
        raise ZeroDivisionError
    assert torch.is_grad_enabled()


def test_the_mode_belongs_to_a_thread():
    """GM-6: a new thread starts with recording enabled."""
    seen = []
    with torch.no_grad():
        thread = threading.Thread(target=lambda: seen.append(torch.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_a_generator_runs_each_step_in_the_mode():
    """GM-8: between steps the caller's mode holds; what is sent, thrown and returned passes through."""

    @torch.no_grad()
    def steps():
        seen = [torch.is_grad_enabled()]
        try:
            seen.append((yield torch.is_grad_enabled()))
        except KeyError:
            seen.append("thrown")
        yield seen
        return "done"

    running = steps()
    assert next(running) is False
    assert torch.is_grad_enabled()
    assert running.send("sent") == [False, "sent"]
    with pytest.raises(StopIteration) as stop:
        next(running)
    assert stop.value.value == "done"
    running = steps()
    next(running)
    assert running.throw(KeyError()) == [False, "thrown"]
    running.close()
    assert torch.is_grad_enabled()
