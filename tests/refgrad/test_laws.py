"""Laws that need no judge: raw equals recorded, and the engine needs NumPy and SciPy alone."""

import subprocess
import sys

import numpy as np
import pytest

import refgrad

from .cases import CASES, EVERY, UNJUDGED, call, operand

SINGLE = [(np.float64,), (np.float32,)]
DOUBLE = [(np.float64,) * 2, (np.float32,) * 2, (np.float32, np.float64), (np.float64, np.float32)]
ONE_DTYPE = {"matmul", "mm", "mv", "bmm", "dot", "addmm", "einsum", "linalg.solve", "scatter_add"}
ONE_DTYPE |= {"prelu", "scatter_reduce", "quantile"}
ONE_DTYPE |= {"nn.functional.binary_cross_entropy", "nn.functional.linear", "nn.functional.nll_loss"}
LAWS = [
    pytest.param(
        text, shapes, dtypes, id=f"{text}-{list(shapes.values())}-{[np.dtype(d).name for d in dtypes]}"
    )
    for name, text, shapes in EVERY
    for dtypes in (SINGLE if len(shapes) == 1 else DOUBLE[:2] if name in ONE_DTYPE else DOUBLE)
]


def gradients(text, shapes, dtypes, create_graph):
    """The gradients of `text` for a cotangent that is not all ones."""
    made = {
        letter: refgrad.from_numpy(np.asarray(operand(letter, shape, text), dtype)).requires_grad_()
        for (letter, shape), dtype in zip(shapes.items(), dtypes, strict=True)
    }
    out = call(refgrad, text, made)
    seed = refgrad.from_numpy(np.asarray(operand("g", tuple(out.shape)) - 1)).to(out.dtype)
    return refgrad.autograd.grad(out, list(made.values()), seed, create_graph=create_graph)


def test_every_function_has_cases():
    """No function of the catalogue is without a call here."""
    assert set(CASES) == set(refgrad.catalogue()) | UNJUDGED


@pytest.mark.parametrize(("text", "shapes", "dtypes"), LAWS)
def test_raw_equals_recorded_bit_for_bit(text, shapes, dtypes):
    """A gradient taken on arrays has the bits, dtype and shape of one taken on tensors."""
    raw, recorded = (gradients(text, shapes, dtypes, create_graph) for create_graph in (False, True))
    for mine, its, dtype, shape in zip(raw, recorded, dtypes, shapes.values(), strict=True):
        assert not mine.requires_grad
        assert mine.numpy().dtype == its.detach().numpy().dtype == dtype
        assert mine.shape == its.shape == shape
        assert mine.numpy().tobytes() == its.detach().numpy().tobytes()


def test_the_engine_needs_numpy_and_scipy_alone():
    """`import refgrad` imports no judge and no ml_dtypes; bfloat16 then says what it needs."""
    script = (
        "import sys; sys.modules.update(dict.fromkeys(['ml_dtypes', 'torch', 'sympy', 'hypothesis']))\n"
        "import refgrad\n"
        "foreign = {'mpmath', 'flint', 'jinja2', 'rich', 'typer', 'msgspec', 'oracles', 'reports'} & set(sys.modules)\n"
        "assert not foreign, foreign\n"
        "try: refgrad.ones(2, dtype=refgrad.bfloat16)\n"
        "except ImportError as error: assert 'ml_dtypes' in str(error)\n"
        "else: raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
