"""Declaring an op: what it may ask for, and the sentence it gets where it asks wrongly."""

import ast
import functools
import inspect
from pathlib import Path

import numpy as np
import pytest

import refgrad
from refgrad.op import COMMON, NO_GRADIENT, REGISTRY, ZERO, Facts, Joint, Op, evaluated, op, replaced
from refgrad.ops.arithmetic import mul
from refgrad.ops.exponential import exp
from refgrad.ops.linear import solve

OPS = Path(inspect.getfile(refgrad)).parent / "ops"


@pytest.fixture(autouse=True)
def _registry():
    """Ops declared in a test are gone after it."""
    before = dict(REGISTRY)
    yield
    REGISTRY.clear()
    REGISTRY.update(before)


def leaf(*values):
    """A float64 leaf that requires grad."""
    return refgrad.tensor(values, dtype=refgrad.float64, requires_grad=True)


def sqrt(x):
    """An evaluation to declare an op over."""
    return np.sqrt(x)


@pytest.mark.parametrize(
    ("formulas", "sentence"),
    [
        ({}, r"sqrt: inputs \['x'\] but formulas for \[\]"),
        ({"z": lambda g: g}, r"sqrt: inputs \['x'\] but formulas for \['z'\]"),
        ({"x": lambda y: y}, r"sqrt: the formula for 'x' must take the cotangent first"),
        (
            {"x": lambda g, q: g},
            r"sqrt: the formula for 'x' asks for \['q'\], but there are only g, y, x, x_shape",
        ),
        ({"x": lambda g, needs: g}, r"asks for \['needs'\]"),
    ],
)
def test_a_mismatch_fails_at_declaration_with_a_sentence(formulas, sentence):
    """A missing formula, a wrong name, a formula that asks for what there is not: a TypeError that says which."""
    with pytest.raises(TypeError, match=sentence):
        op(**formulas)(sqrt)


def test_a_name_belongs_to_one_op():
    """A second op of the same name, and a name that would mean two things in one op, are refused."""
    with pytest.raises(TypeError, match="exp: there is already an op of this name"):

        @op(x=lambda g: g)
        def exp(x):
            return x

    with pytest.raises(TypeError, match=r"\['y'\] would each name two things"):

        @op(y=lambda g: g)
        def same(y):
            return y


def test_a_list_is_an_op_s_only_input():
    """An op that takes a list of tensors takes nothing else."""
    with pytest.raises(TypeError, match="a list of tensors must be the only input"):

        @op(x=lambda g: g, xs=lambda g: g)
        def odd(x, *xs):
            return x


def test_zero_gives_zeros_and_no_gradient_gives_nothing():
    """ZERO: the input gets zeros. NO_GRADIENT: the result does not require grad because of it."""

    @op(x=ZERO)
    def staircase(x):
        return np.floor(x)

    @op(x=NO_GRADIENT, y_=lambda g: g, dtypes=COMMON)
    def second(x, y_):
        return y_ + 0

    a, b = leaf(1.0, -2.0), leaf(3.0, 4.0)
    for create_graph in (False, True):
        (g,) = refgrad.autograd.grad(staircase(a).sum(), a, create_graph=create_graph)
        assert g.tolist() == [0.0, 0.0]
    assert not second(a, b.detach()).requires_grad
    assert second(a, b).grad_fn.next_functions[0][0].variable is b


def test_several_differentiable_outputs_have_their_own_cotangents():
    """A formula takes `g_<output>` for each; an output that was not used sends zeros."""

    @op(x=lambda g_low, g_high: g_low - g_high, outputs=("low", "high"))
    def both_ways(x):
        return x * 1.0, -x

    for create_graph in (False, True):
        x = leaf(1.0, 2.0)
        low, high = both_ways(x)
        assert (low.output_nr, high.output_nr) == (0, 1)
        assert low.grad_fn is high.grad_fn
        (g,) = refgrad.autograd.grad(low.sum() + (high * 3).sum(), x, create_graph=create_graph)
        assert g.tolist() == [-2.0, -2.0]
        (g,) = refgrad.autograd.grad(both_ways(x)[1].sum(), x, create_graph=create_graph)
        assert g.tolist() == [-1.0, -1.0]


def test_a_joint_formula_hears_which_inputs_need_a_gradient():
    """`needs` says which, and only those are delivered."""
    heard = []

    def formula(g, needs):
        heard.append(needs)
        return g * 2, g * 3

    @op(Joint("a", "b", formula=formula), dtypes=COMMON)
    def blend(a, b):
        return 2 * a + 3 * b

    a, b = leaf(1.0), leaf(1.0)
    blend(a, b).sum().backward()
    blend(a.detach(), b).sum().backward()
    assert heard == [(True, True), (False, True)]
    assert (a.grad.tolist(), b.grad.tolist()) == ([2.0], [6.0])


def test_an_auxiliary_result_is_saved_but_not_returned():
    """LU and pivots reach the formula and the node, not the caller."""
    A = refgrad.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    x = solve(A, refgrad.tensor([1.0, 2.0]))
    assert isinstance(x, refgrad.Tensor)
    assert x.grad_fn._saved_pivots.tolist() == [1, 2]
    assert isinstance(solve(np.eye(2), np.ones(2)), np.ndarray)


def test_an_operand_decides_what_an_op_means():
    """A type with `__apply_op__` is asked, with the op, the inputs and the settings; formulas run on it too."""

    class Symbol:
        def __init__(self, text):
            self.text = text

        @staticmethod
        def __apply_op__(op, inputs, settings):
            return Symbol(f"{op.name}({', '.join(getattr(x, 'text', str(x)) for x in inputs)})")

        def __mul__(self, other):
            return mul(self, other)

    x, g = Symbol("x"), Symbol("g")
    assert exp(x).text == "exp(x)"
    assert exp.formulas["x"](g, exp(x)).text == "mul(g, exp(x))"


def test_a_formula_can_be_replaced_for_a_while():
    """Within `replaced` the op runs another formula; after it, its own."""

    def gradient():
        x = leaf(1.0)
        x.exp().sum().backward()
        return x.grad.item()

    right = gradient()
    original = exp.formulas["x"]
    wrong = functools.wraps(original)(lambda *args: -original(*args))
    with replaced(exp, "x", wrong):
        assert gradient() == -right
    assert gradient() == right
    with pytest.raises(TypeError, match="there is no input 'z'"), replaced(exp, "z", wrong):
        pass


def test_one_part_of_a_joint_formula_can_be_replaced():
    """A formula for A alone leaves the joint formula to serve B."""
    A, B = refgrad.tensor([[2.0]], requires_grad=True), refgrad.tensor([4.0], requires_grad=True)
    with replaced(solve, "A", lambda g, A: A * 0 + 7):
        refgrad.linalg.solve(A, B).backward()
    assert (A.grad.item(), B.grad.item()) == (7.0, 0.5)


def named(tree):
    """The names that an expression mentions."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_no_formula_mentions_numpy():
    """Formulas, and every helper in `refgrad.ops` that they call, speak ops and operators alone."""
    helpers, mentioned = {}, {}
    for path in OPS.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            declared = [d for d in node.decorator_list if isinstance(d, ast.Call) and named(d.func) == {"op"}]
            for keyword in (k for d in declared for k in [*d.keywords, *d.args]):
                mentioned[f"{path.name}:{node.name}"] = named(keyword) | mentioned.get(
                    f"{path.name}:{node.name}", set()
                )
            if not declared:
                helpers[node.name] = node
    assert len(mentioned) > 50
    constants = {
        "triangles",
        "pairs",
        "minors",
        "is_vector",
        "log_of_number",
        "inverse",
        "count",
        "chosen",
        "named",
        "class_dim",
    }  # of sizes, numbers of classes and Python numbers
    for place, names in mentioned.items():
        reached, ahead = set(), set(names)
        while ahead:
            name = ahead.pop()
            reached.add(name)
            if name in helpers and name not in constants:
                ahead |= named(helpers[name]) - reached
        assert "np" not in reached, place


def test_the_catalogue_lists_the_judged_functions():
    """Each entry has PyTorch's name, its inputs, settings, facts, ops and a docstring."""
    catalogue = refgrad.catalogue()
    assert {"add", "exp", "max", "linalg.solve", "getitem", "matmul"} <= set(catalogue)
    for name, entry in catalogue.items():
        assert entry.name == name
        assert entry.doc
        assert entry.inputs
        assert all(isinstance(o, Op) and REGISTRY[o.name] is o for o in entry.ops)
        assert isinstance(entry.facts, Facts)
    assert dict(catalogue["sum"].settings) == {"dim": None, "keepdim": False, "dtype": None}
    assert catalogue["log"].facts.domain == {"x": (0, float("inf"))}


def test_what_is_replaced_is_replaced_on_every_way():
    """Operators and functions keep no formula and no evaluation of their own."""
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    with replaced(REGISTRY["sub"], "b", NO_GRADIENT), replaced(REGISTRY["exp"], "x", NO_GRADIENT):
        assert not (x.detach() - w).requires_grad
        assert not x.exp().requires_grad
        (x - w).sum().backward()
        assert w.grad is None
    with evaluated(REGISTRY["mul"], lambda a, b: a + b), evaluated(REGISTRY["sin"], np.cos):
        assert (x * w).tolist() == [4.0, 6.0]
        assert refgrad.sin(x).tolist() == refgrad.cos(x).tolist()
    assert (x * w).tolist() == [3.0, 8.0]
