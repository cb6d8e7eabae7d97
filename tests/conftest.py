"""How the tests run: Hypothesis profiles, and one thread for each process."""

import collections
import contextlib
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")  # before NumPy or PyTorch is imported; workers inherit it

with contextlib.suppress(ImportError):  # the engine's tests run without PyTorch
    import torch

    torch.set_num_threads(1)
    torch.backends.opt_einsum.enabled = (
        False  # where it is installed, PyTorch contracts in an order of its own
    )

with contextlib.suppress(ImportError):  # and without Hypothesis
    from hypothesis import settings

    settings.register_profile("quick", max_examples=20, deadline=None, derandomize=True)
    settings.register_profile("ci", max_examples=100, deadline=None, derandomize=True, print_blob=True)
    settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_terminal_summary(terminalreporter):
    """Say what the walk over PyTorch's samples came to, in whichever processes it ran."""
    counts, refused = collections.Counter(), collections.Counter()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for key, value in report.user_properties if report.when == "call" else ():
            if key == "op_db refused":
                refused.update(value)
            elif key.startswith("op_db "):
                counts[key.removeprefix("op_db ")] += value
                counts["names"] += key == "op_db samples"
    if counts:
        said = "{names} names, {samples} samples: {second} judged to second order, {first} to first, {empty} empty"
        terminalreporter.section("PyTorch's samples (op_db)")
        terminalreporter.line(said.format(**counts) + "; {elements:,} elements compared".format(**counts))
        for reason, count in refused.items():
            terminalreporter.line(f"{count} refused: {reason}")
