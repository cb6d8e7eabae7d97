"""`autograd.functional`: every function on every way of using it, run on torch and on refgrad."""

import importlib
import itertools

import pytest

import refgrad

from .beside import attempt, check, leaf, seen

ONE = {
    "cubes": lambda torch, x: x * x * x,
    "sum of cubes": lambda torch, x: (x * x * x).sum(),
    "sum of squares": lambda torch, x: (x * x).sum(),
    "linear": lambda torch, x: x * 2,
    "sum": lambda torch, x: x.sum(),
    "one element": lambda torch, x: (x * x * x).sum().reshape(1),
    "matrix": lambda torch, x: x.reshape(2, 1) * x,
    "independent": lambda torch, x: torch.tensor([1.0, 2.0], dtype=torch.float64),
    "another leaf": lambda torch, x: leaf(torch, 1, 2),
    "another leaf's sum": lambda torch, x: leaf(torch, 1, 2).sum(),
    "steps": lambda torch, x: torch.floor(x).sum(),
    "steps times": lambda torch, x: (torch.floor(x) * x).sum(),
    "two": lambda torch, x: (x * 2, x.sum()),
    "number": lambda torch, x: 3.0,
    "list": lambda torch, x: [x * 2],
    "text": lambda torch, x: "a",
    "tensor and number": lambda torch, x: (x * 2, 3),
}
TWO = {
    "product": lambda torch, x, y: x * y,
    "two products": lambda torch, x, y: (x * y, (x * x * y).sum()),
    "sum of products": lambda torch, x, y: (x * x * y * y).sum(),
    "one used": lambda torch, x, y: x * x,
    "one used, summed": lambda torch, x, y: (x * x).sum(),
}
WAYS = [{"create_graph": graph, "strict": strict} for graph in (False, True) for strict in (False, True)]
VECTORIZED = [
    {"vectorize": True},
    {"vectorize": True, "strict": True},
    {"strategy": "forward-mode"},
    {"strategy": "forward-mode", "strict": True, "vectorize": True},
    {"strategy": "forward-mode", "create_graph": True, "vectorize": True},
    {"strategy": "sideways"},
]


def functional(torch):
    """`torch.autograd.functional` of a library."""
    return importlib.import_module(f"{torch.__name__}.autograd.functional")


def point(torch, *, requires_grad=False):
    """Two inputs and a vector."""
    return [
        torch.tensor(v, dtype=torch.float64, requires_grad=requires_grad)
        for v in ([1.5, 2.0], [3.0, 5.0], [1.0, -3.0])
    ]


@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("name", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_every_function_in_every_way(name, way, requires_grad):
    """FN-1 to FN-4: values, shapes, what requires grad, and the words of every error."""

    def scenario(torch):
        product = getattr(functional(torch), name)
        x, y, v = point(torch, requires_grad=requires_grad)
        whole = name in ("jacobian", "hessian")
        for f in ONE.values():
            for vector in ((),) if whole else ((), (v,), ((v,),), (v.sum(),), ((v, v),)):
                yield attempt(
                    lambda f=f, vector=vector: product(lambda *xs: f(torch, *xs), x, *vector, **way)
                )
        for f in TWO.values():
            for vector in ((),) if whole else ((), (v,), ((v, v),), ((v, v.sum()),), ((v, v, v),)):
                yield attempt(
                    lambda f=f, vector=vector: product(lambda *xs: f(torch, *xs), (x, y), *vector, **way)
                )

    check(scenario)


def test_strict_jacobians_name_the_input():
    """Where PyTorch names the output's number as the input's, refgrad names the input."""
    x, y, _ = point(refgrad)
    error = attempt(
        lambda: refgrad.autograd.functional.jacobian(
            lambda x, y: (x * y, (x + y * y).sum()), (x, y), strict=True, create_graph=True
        )
    )
    assert "independent of input 0" in str(error)


@pytest.mark.parametrize("way", VECTORIZED, ids=str)
@pytest.mark.parametrize("name", ["jacobian", "hessian"])
def test_vectorized(name, way):
    """What is refused, and the same values where it is not."""
    way = {
        ("outer_jacobian_strategy" if name == "hessian" and k == "strategy" else k): v for k, v in way.items()
    }

    def scenario(torch):
        product = getattr(functional(torch), name)
        x, y, _ = point(torch)
        for f in list(ONE.values())[:7]:
            yield attempt(lambda f=f: product(lambda *xs: f(torch, *xs), x, **way))
        for f in TWO.values():
            yield attempt(lambda f=f: product(lambda *xs: f(torch, *xs), (x, y), **way))

    check(scenario)


@pytest.mark.parametrize("number", range(len(ONE) + len(TWO)))
def test_by_columns_as_by_rows(number):
    """The forward-mode strategy gives what the other gives; PyTorch returns lists there, refgrad tuples."""
    *_, f = itertools.islice([*ONE.values(), *TWO.values()], number + 1)
    x, y, _ = point(refgrad)
    inputs = x if number < len(ONE) else (x, y)
    jacobian = refgrad.autograd.functional.jacobian

    def rows(library):
        yield attempt(lambda: jacobian(lambda *xs: f(refgrad, *xs), inputs))

    def columns(library):
        yield attempt(
            lambda: jacobian(lambda *xs: f(refgrad, *xs), inputs, strategy="forward-mode", vectorize=True)
        )

    assert seen(rows, refgrad) == seen(columns, refgrad)


def test_hessians_by_columns():
    """Forward over reverse gives the same Hessian."""
    x, y, _ = point(refgrad)
    hessian = refgrad.autograd.functional.hessian

    def f(x, y):
        return (x * x * y * y).sum() + (x.exp() * y).sum()

    (a, b), (c, d) = hessian(f, (x, y))
    (p, q), (r, s) = hessian(f, (x, y), vectorize=True, outer_jacobian_strategy="forward-mode")
    for ours, theirs in zip((a, b, c, d), (p, q, r, s), strict=True):
        assert ours.tolist() == theirs.tolist()
        assert not theirs.requires_grad


INPUTS = [3.0, "a", None]


@pytest.mark.parametrize("value", INPUTS, ids=repr)
def test_what_is_no_tensor(value):
    """The error says what was given, and to which function."""

    def scenario(torch):
        x, _, _ = point(torch)
        for name in ("jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"):
            product = getattr(functional(torch), name)
            for given in (value, [x], (x, value)):
                yield attempt(lambda product=product, given=given: product(lambda x: x.sum(), given))
        for name in ("vjp", "jvp", "vhp", "hvp"):
            product = getattr(functional(torch), name)
            yield attempt(lambda product=product: product(lambda x: (x * x).sum(), x, [x]))

    check(scenario)


def test_integers_are_refused():
    """As they cannot require grad."""

    def scenario(torch):
        yield functional(torch).jacobian(lambda x: x * 2, torch.tensor([2]))

    check(scenario)


def test_one_element_needs_no_vector():
    """In the input or the output."""

    def scenario(torch):
        f = functional(torch)
        for shape in ((), (1,), (1, 1)):
            x = torch.ones(shape, dtype=torch.float64) * 3
            for name in ("vjp", "jvp", "vhp", "hvp"):
                yield getattr(f, name)(lambda x: x * x * x, x)

    check(scenario)


def test_what_the_function_sees():
    """Inputs are cut off their graph, or not with create_graph; the leaf itself gets no gradient."""

    def scenario(torch):
        f = functional(torch)
        for way in ({}, {"create_graph": True}):
            for requires_grad in (False, True):
                x, _, v = point(torch, requires_grad=requires_grad)
                told = []

                def inside(a, told=told, x=x):
                    told.append([a is x, a.requires_grad, a.is_leaf])
                    return (a * a).sum()

                for name in ("jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"):
                    vector = () if name in ("jacobian", "hessian", "vjp") else (v.detach(),)
                    getattr(f, name)(inside, x, *vector, **way)
                yield told, x.grad, x.requires_grad

    check(scenario)


def test_recorded_results_are_differentiated():
    """Third derivatives, by differentiating what create_graph has recorded."""

    def scenario(torch):
        f = functional(torch)
        x, _, v = point(torch, requires_grad=True)
        yield torch.autograd.grad(f.jacobian(lambda x: x * x * x, x, create_graph=True).sum(), x)
        yield torch.autograd.grad(f.hessian(lambda x: (x * x * x).sum(), x, create_graph=True).sum(), x)
        for name in ("vhp", "hvp"):
            _, h = getattr(f, name)(lambda x: (x * x * x).sum(), x, v, create_graph=True)
            yield torch.autograd.grad(h.sum(), [x, v])
        for name in ("vjp", "jvp"):
            _, p = getattr(f, name)(lambda x: x * x * x, x, v, create_graph=True)
            yield torch.autograd.grad(p.sum(), [x, v])

    check(scenario)


def test_without_grad_mode():
    """They record for themselves."""

    def scenario(torch):
        f = functional(torch)
        x, _, v = point(torch, requires_grad=True)
        with torch.no_grad():
            for way in ({}, {"create_graph": True}):
                yield f.jacobian(lambda x: x * x, x, **way)
                yield f.hessian(lambda x: (x * x * x).sum(), x, **way)
                yield f.vjp(lambda x: x * x, x, v, **way)
                yield f.jvp(lambda x: x * x, x, v, **way)

    check(scenario)
