"""Clauses on anomaly detection."""

from __future__ import annotations

import warnings
from typing import Any

from oracles.clauses.claim import Claim
from oracles.clauses.clause import clause

PAGE = "torch.autograd.detect_anomaly"


def detecting(torch: Any, **options: Any) -> Any:
    """detect_anomaly without its own warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.autograd.detect_anomaly(**options)


@clause("AN-1", PAGE)
def names_the_function(torch: Any, claim: Claim) -> None:
    """Under detection a backward function that yields nan raises, naming the function and the output."""
    x = torch.tensor(-1.0, requires_grad=True)
    with detecting(torch):
        y = x.sqrt()
        with claim.raises(RuntimeError, "Function 'SqrtBackward0' returned nan values in its 0th output."):
            y.backward()


@clause("AN-2", PAGE)
def nan_unchecked(torch: Any, claim: Claim) -> None:
    """With check_nan=False nothing is raised for a nan."""
    x = torch.tensor(-1.0, requires_grad=True)
    with detecting(torch, check_nan=False):
        x.sqrt().backward()
    claim.equal(x.grad, float("nan"))


@clause("AN-3", PAGE)
def traceback_of_forward(torch: Any, claim: Claim) -> None:
    """If the forward pass ran under detection, the traceback of the forward call comes as a warning with the error."""
    x = torch.tensor(-1.0, requires_grad=True)
    with detecting(torch):
        y = x.sqrt()
        with (
            claim.warns(UserWarning, "Traceback of forward call that caused the error"),
            claim.raises(RuntimeError, "SqrtBackward0"),
        ):
            y.backward()


@clause("AN-4", "torch.autograd.detect_anomaly (behaviour)")
def no_forward_information(torch: Any, claim: Claim) -> None:
    """If it ran outside, the warning says that no information of the forward pass is available."""
    x = torch.tensor(-1.0, requires_grad=True)
    y = x.sqrt()
    with (
        detecting(torch),
        claim.warns(UserWarning, "No forward pass information available"),
        claim.raises(RuntimeError, "SqrtBackward0"),
    ):
        y.backward()


@clause("AN-5", "torch.autograd.set_detect_anomaly")
def function_or_context(torch: Any, claim: Claim) -> None:
    """set_detect_anomaly stays set as a function and restores as a context; is_anomaly_enabled tells."""
    states = [torch.is_anomaly_enabled()]
    with torch.autograd.set_detect_anomaly(True):
        states.append(torch.is_anomaly_enabled())
    states.append(torch.is_anomaly_enabled())
    torch.autograd.set_detect_anomaly(True)
    states.append(torch.is_anomaly_enabled())
    torch.autograd.set_detect_anomaly(False)
    claim.equal(states, [False, True, False, True])


@clause("AN-6", "torch.autograd.detect_anomaly (behaviour)")
def warns_on_entry(torch: Any, claim: Claim) -> None:
    """detect_anomaly warns that it is for debugging only."""
    with claim.warns(UserWarning, "Anomaly Detection has been enabled"), torch.autograd.detect_anomaly():
        pass
