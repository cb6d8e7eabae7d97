"""What histories in lock step with PyTorch have found in the engine: each as the few lines that showed it."""

import pytest

import refgrad

torch = pytest.importorskip("torch")


def abs_records_a_sgn(t):
    """Not a sign."""
    x = t.tensor([1.0, -2.0], requires_grad=True)
    (g,) = t.autograd.grad(x.abs().sum(), x, create_graph=True)
    return [n and n.name() for n, _ in g.grad_fn.next_functions]


def amax_divides_before_it_masks(t):
    """So that its last node is the product."""
    x = t.tensor([1.0, 2.0], requires_grad=True)
    (g,) = t.autograd.grad(x.amax() ** 2, x, create_graph=True)
    return g.grad_fn.name()


def product_of_a_vector_is_no_view(t):
    """Of the matrix that it is squeezed from."""
    v, m = t.ones(2, requires_grad=True), t.ones(2, 2)
    y = v @ m
    y.relu_()
    return y.grad_fn.name(), y._is_view()


def retain_grad_of_an_invalid_view(t):
    """It asks for the node, and so raises."""
    x = t.tensor([-0.5, 1.0], requires_grad=True)
    first, _ = x.split(1)
    with t.no_grad():
        x.mul_(2)
    first.retain_grad()


def hook_on_an_invalid_view(t):
    """The second goes into a table that was made before the first one raised."""
    x = t.tensor([-0.5, 1.0], requires_grad=True)
    first, _ = x.split(1)
    with t.no_grad():
        x.mul_(2)
    try:
        first.register_hook(print)
    except RuntimeError:
        first.register_hook(print)
        return "the second registers"


def node_that_leads_nowhere(t):
    """It saves its operand all the same, and frees it."""
    x = t.tensor([1.0, 2.5], requires_grad=True)
    with t.no_grad():
        first, _ = x.unbind(0)
    y = first.relu()
    y.backward()
    y.backward()


def inference_tensor_beside_one_that_leads_nowhere(t):
    """maximum saves both, mul only what it needs."""
    x = t.tensor(1.5, requires_grad=True)
    with t.inference_mode():
        constant, view = t.tensor(0.5), x.unsqueeze(0)
    view * constant
    view.maximum(constant)


def unbind_of_nothing(t):
    """No output, and no node."""
    return t.ones(0, requires_grad=True).unbind(0)


def conversion_of_an_expanded_tensor(t):
    """Is laid out anew."""
    return t.tensor([2.0, -1.0]).expand(2, 2).double().stride()


def tensor_like_an_expanded_one(t):
    """Is laid out anew."""
    return t.ones_like(t.tensor([2.0, -1.0]).expand(2, 2)).stride()


def sum_of_tensors_that_lie_differently(t):
    """Lies as the first, also where one of them is cast."""
    rows = t.arange(6.0).view(2, 3)
    columns = t.arange(6.0).view(3, 2).t()
    pairs = [(rows, columns), (columns, rows), (columns, rows.double()), (rows.bfloat16(), columns)]
    return [(a + b).stride() for a, b in pairs]


def copy_of_a_number_into_one_element(t):
    """Is refused: the same memory, and another shape."""
    x = t.tensor(1.0)
    x.unsqueeze(0).copy_(x)


def number_assigned_to_repeated_elements(t):
    """Is refused, where `fill_` with it is not."""
    x = t.tensor([0.0, 1.5]).expand(2, 2)
    x.fill_(2.0)
    x[...] = 3.0


def hook_of_a_leaf_that_is_none_any_more(t):
    """Sees what arrives at the leaf that it was."""
    seen = []
    x = t.tensor([-1.5, 0.0], requires_grad=True)
    y = x.double()
    x.detach_()
    x.add_(y)
    x.register_hook(lambda g: seen.append(g.tolist()))
    try:
        y.sum().backward()
    except RuntimeError as error:
        return seen, str(error)


def copy_of_a_tensor_to_itself(t):
    """Is recorded; backward writes to the repeated elements, which is refused."""
    x = t.tensor(1.5, requires_grad=True)
    y = x * 2
    z = y.expand(2)
    z.copy_(z)
    y.backward()


def elements_assigned_to_themselves(t):
    """Nothing moves, so nothing is refused."""
    x = t.tensor(0.5).expand(2).unsqueeze(0)
    x[0] = x
    return x.tolist(), x._version


FOUND = [
    abs_records_a_sgn,
    amax_divides_before_it_masks,
    product_of_a_vector_is_no_view,
    retain_grad_of_an_invalid_view,
    hook_on_an_invalid_view,
    node_that_leads_nowhere,
    inference_tensor_beside_one_that_leads_nowhere,
    unbind_of_nothing,
    conversion_of_an_expanded_tensor,
    tensor_like_an_expanded_one,
    number_assigned_to_repeated_elements,
    hook_of_a_leaf_that_is_none_any_more,
    sum_of_tensors_that_lie_differently,
    copy_of_a_number_into_one_element,
    copy_of_a_tensor_to_itself,
    elements_assigned_to_themselves,
]


def outcome(function, library):
    """What it returns, or the exception that it raises with the beginning of its message."""
    try:
        return function(library)
    except Exception as error:
        return type(error), str(error)[:60]


@pytest.mark.parametrize("function", FOUND, ids=lambda f: f.__name__)
def test_it_is_as_in_torch(function):
    """The engine returns or raises what PyTorch does."""
    assert outcome(function, refgrad) == outcome(function, torch)
