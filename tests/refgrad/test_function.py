"""Custom Functions: every clause of the contract, run on torch and on refgrad."""

import gc
import importlib
import weakref

import pytest

import refgrad

from .beside import attempt, function, leaf, scenarios, seen

scenario, test_the_same_on_torch = scenarios()


def once(torch):
    """`once_differentiable` of a library."""
    return importlib.import_module(f"{torch.__name__}.autograd.function").once_differentiable


def doubled(ctx, x):
    """A forward that saves its input."""
    ctx.save_for_backward(x)
    return x * 2


def squared(ctx, x):
    """Another."""
    ctx.save_for_backward(x)
    return x * x


def squared_back(ctx, g):
    """Its backward."""
    return g * 2 * ctx.saved_tensors[0]


@scenario
def forward_is_not_recorded(torch):  # CF-1
    """Grad mode is off inside forward, and only one node is made."""
    inside = []

    def forward(ctx, x):
        y = x * 2
        inside.extend([torch.is_grad_enabled(), x.requires_grad, y.requires_grad, ctx.needs_input_grad])
        return y

    x = leaf(torch, 1, 2)
    y = function(torch, forward).apply(x)
    yield inside
    yield y
    yield type(y.grad_fn), y.grad_fn.name(), y.output_nr, str(y.grad_fn), repr(y)
    yield [n.name() for n, _ in y.grad_fn.next_functions]
    yield y.grad_fn.next_functions[0][0].variable is x


@scenario
def one_gradient_for_each_argument(torch):  # CF-2, CF-4
    """Non-tensors need None, and what is needed is said."""
    needs = []

    def backward(ctx, g, h):
        needs.append(ctx.needs_input_grad)
        return g * ctx.k, None, h * 3, None

    def forward(ctx, x, k, w, other):
        ctx.k = k
        return x * k, w * 3

    x, w = leaf(torch, 1, 2), leaf(torch, 3, 4)
    y, z = function(torch, forward, backward).apply(x, 5, w, torch.ones(2))
    (y * z).sum().backward()
    yield needs, x.grad, w.grad, y.output_nr, z.output_nr
    yield len(y.grad_fn.next_functions), y.grad_fn is z.grad_fn, y.grad_fn.needs_input_grad


def returned(torch, answer, *more):
    """The gradient of `x` where backward returns `answer(g)`."""
    x = leaf(torch, 1, 2)
    y = function(torch, lambda ctx, x, *_: x * 1, lambda ctx, g: answer(g)).apply(x, *more)
    y.sum().backward()
    return x.grad


@scenario
def what_backward_may_return(torch):  # CF-3, CF-4, CF-22, CF-23
    """Numbers, types and shapes of gradients."""
    ones = torch.ones
    for answer, *more in (
        (lambda g: g, 2),
        (lambda g: (g,), 2, 3),
        (lambda g: (),),
        (lambda g: (g, None, None),),
        (lambda g: (g, None, g),),
        (lambda g: (g, g),),
        (lambda g: (g, g), 2),
        (lambda g: (g, None, g), 2, "a"),
        (lambda g: (g, g), ones(2)),
        (lambda g: ones(3),),
        (lambda g: ones(4, 2),),
        (lambda g: ones(1),),
        (lambda g: torch.tensor(1.0),),
        (lambda g: g.float(),),
        (lambda g: g.long(),),
        (lambda g: 3.0,),
        (lambda g: [g],),
        (lambda g: None,),
        (lambda g: "a",),
        (lambda g: 1 / 0,),
    ):
        yield attempt(lambda answer=answer, more=more: returned(torch, answer, *more))


@scenario
def the_argument_of_the_wrong_shape_is_named(torch):  # CF-22
    """By its place among the tensors."""
    mine = function(torch, lambda ctx, k, x, y: x * y, lambda ctx, g: (None, g, torch.ones(3)))
    mine.apply(1, leaf(torch, 1, 2), leaf(torch, 1, 2)).sum().backward()
    yield "no error"


@scenario
def only_tensors_are_saved(torch):  # CF-5
    """None comes back as None."""
    x = leaf(torch, 1, 2)
    for value in (3, [x], "a"):
        mine = function(torch, lambda ctx, x, value=value: (ctx.save_for_backward(x, value), x * 1)[1])
        yield attempt(lambda mine=mine: mine.apply(x))
    y = function(torch, lambda ctx, x: (ctx.save_for_backward(None, x), x * 1)[1]).apply(x)
    yield y.grad_fn.saved_tensors, y.grad_fn.saved_tensors[1] is x, y.grad_fn.to_save
    yield y.grad_fn.saved_variables


@scenario
def saved_tensors_in_forward(torch):
    """They are there once forward is over."""
    told = []

    def forward(ctx, x):
        ctx.save_for_backward(x)
        told.extend([ctx.saved_tensors, ctx.to_save])
        return x * 1

    yield function(torch, forward).apply(leaf(torch, 1)), told


@scenario
def saved_tensors_are_freed(torch):  # CF-7
    """A second pass needs retain_graph, where it reads what was saved."""
    x = leaf(torch, 1, 2)
    y = function(torch, squared, squared_back).apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    yield x.grad
    yield attempt(y.backward)
    y = function(torch, squared, squared_back).apply(x)
    y.sum().backward()
    yield attempt(lambda: y.grad_fn.saved_tensors)
    y = function(torch, doubled, lambda ctx, g: g * 2).apply(x)
    y.backward(torch.ones(2).double())
    y.backward(torch.ones(2).double())
    yield x.grad


@scenario
def dirty_tensors_must_be_returned(torch):  # CF-9
    """And must be inputs, and no leaves."""
    x = leaf(torch, 1, 2)
    for forward, given in (
        (lambda ctx, x: (ctx.mark_dirty(x), x * 2)[1], x * 1),
        (lambda ctx, x: (ctx.mark_dirty(3), x * 2)[1], x * 1),
        (lambda ctx, x: (ctx.mark_dirty(x), x)[1], x),
    ):
        mine = function(torch, forward)
        yield attempt(lambda mine=mine, given=given: mine.apply(given))

    def made(ctx, x):
        y = x * 2
        ctx.mark_dirty(y)
        return y

    yield function(torch, made).apply(x * 1)


@scenario
def a_dirty_tensor_stays_the_same_object(torch):  # CF-8
    """It is now what the node made."""
    z = leaf(torch, 1, 2) * 1
    y = function(torch, lambda ctx, x: (ctx.mark_dirty(x), x)[1]).apply(z)
    yield y is z, type(y.grad_fn)
    with torch.no_grad():
        for given in (torch.ones(2), z):
            same = function(torch, lambda ctx, x: (ctx.mark_dirty(x), x)[1]).apply(given)
            yield same is given, same


@scenario
def outputs_without_gradient(torch):  # CF-10, CF-11, CF-12, CF-21
    """Marked ones, integers, and what is no tensor."""
    given = []

    def forward(ctx, x):
        a, b = x * 2, x * 3
        ctx.mark_non_differentiable(b)
        return a, b, x.long(), 7, None, "a", x * 4

    def backward(ctx, *gs):
        given.append(gs)
        return gs[0]

    x = leaf(torch, 1, 2)
    outputs = function(torch, forward, backward).apply(x)
    yield outputs, [getattr(y, "grad_fn", 0) is None for y in outputs]
    outputs[0].sum().backward()
    yield given, x.grad
    given.clear()

    def bare(ctx, x):
        ctx.set_materialize_grads(False)
        return forward(ctx, x)

    function(torch, bare, backward).apply(x)[0].sum().backward()
    yield given


@scenario
def marks_that_make_no_sense(torch):
    """Are refused, or without effect."""
    x = leaf(torch, 1, 2)
    for forward in (
        lambda ctx, x: (ctx.mark_non_differentiable(3), x * 1)[1],
        lambda ctx, x: (ctx.mark_non_differentiable(torch.ones(2)), x * 1)[1],
        lambda ctx, x: (ctx.mark_non_differentiable(x), x)[1],
    ):
        mine = function(torch, forward)
        yield attempt(lambda mine=mine: mine.apply(x))


@scenario
def once_differentiable_runs_once(torch):  # CF-13
    """Without grad, and differentiating its answer is an error if a gradient required grad."""
    modes = []

    @once(torch)
    def backward(ctx, g):
        modes.extend([torch.is_grad_enabled(), g.requires_grad])
        return g * 2 * ctx.saved_tensors[0]

    x = leaf(torch, 1, 2)
    mine = function(torch, squared, backward)
    (quiet,) = torch.autograd.grad(mine.apply(x), x, torch.ones(2).double(), create_graph=True)
    yield quiet
    (gx,) = torch.autograd.grad((mine.apply(x) * x).sum(), x, create_graph=True)
    yield gx, modes
    (gx,) = torch.autograd.grad(mine.apply(x) ** 2, x, torch.ones(2).double(), create_graph=True)
    yield gx, gx.grad_fn.name(), type(gx.grad_fn).__name__
    yield attempt(lambda: torch.autograd.grad(gx.sum(), x))
    gx.sum().backward()


@scenario
def once_differentiable_with_several(torch):
    """None stays None."""

    @once(torch)
    def backward(ctx, g):
        return g, None, g * 2

    x, w = leaf(torch, 1, 2), leaf(torch, 3, 4)
    y = function(torch, lambda ctx, x, k, w: x + 2 * w, backward).apply(x, 1, w)
    gs = torch.autograd.grad(y * y, [x, w], torch.ones(2).double(), create_graph=True)
    yield gs, gs[0].grad_fn is gs[1].grad_fn, [g.output_nr for g in gs]


@scenario
def backward_is_recorded_with_create_graph(torch):  # CF-14
    """And saved inputs carry gradient."""
    x = leaf(torch, 1, 2)
    modes = []

    def backward(ctx, g):
        modes.append(torch.is_grad_enabled())
        return squared_back(ctx, g)

    y = function(torch, squared, backward).apply(x)
    (gx,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)
    yield gx, modes
    (ggx,) = torch.autograd.grad(gx.sum(), x, create_graph=True)
    yield ggx, torch.autograd.grad(ggx.sum(), x)


@scenario
def what_double_backward_sees(torch):  # CF-14, CF-15
    """A saved output is part of the graph, and what forward computed on the way is not."""
    x = leaf(torch, 1, 2)

    def forward(ctx, x):
        z = x * 2
        y = x * z
        ctx.z, ctx.y = z, y
        ctx.save_for_backward(y, z)
        return y

    def backward(ctx, g):
        y, z = ctx.saved_tensors
        told.append([y, type(y.grad_fn), z, ctx.z, ctx.y, ctx.y.requires_grad])
        return g * y + g * z + g * ctx.z

    told = []
    y = function(torch, forward, backward).apply(x)
    (gx,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    yield told, gx
    yield torch.autograd.grad(gx.sum(), x)


@scenario
def context_apart_from_forward(torch):  # CF-16
    """The same, and defaults are among the inputs."""

    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(x, k=3):
            told.append(torch.is_grad_enabled())
            return x * k

        @staticmethod
        def setup_context(ctx, inputs, output):
            told.append([inputs, output, torch.is_grad_enabled()])
            ctx.save_for_backward(inputs[0])
            ctx.k = inputs[1]

        @staticmethod
        def backward(ctx, g):
            return g * ctx.k, None

    told = []
    x = leaf(torch, 1, 2)
    y = Scaled.apply(x)
    yield y, y.grad_fn.needs_input_grad, told
    y.sum().backward()
    yield x.grad
    yield Scaled.apply(x, 2), Scaled.apply(x, k=5)
    yield attempt(lambda: Scaled.apply())


@scenario
def keyword_arguments_of_forward(torch):
    """Become positional, in forward's order, and count in backward."""
    x = leaf(torch, 1, 2)
    for forward, args, named in (
        (lambda ctx, x, k=3: x * k, (x,), {"k": 2}),
        (lambda ctx, x, k=3: x * k, (), {"k": 2, "x": x}),
        (lambda ctx, x, k=3: x * k, (x,), {}),
        (lambda ctx, x, *, k=3: x * k, (x,), {"k": 2}),
        (lambda ctx, x, a=1, b=2: x * a * b, (x,), {"b": 5}),
        (lambda ctx, *xs, k=1: xs[0] * k, (x,), {"k": 2}),
        (lambda ctx, x: x * 1, (x,), {"k": 2}),
    ):
        mine = function(torch, forward, lambda ctx, g: (g, *[None] * (len(ctx.needs_input_grad) - 1)))
        y = attempt(lambda mine=mine, args=args, named=named: mine.apply(*args, **named))
        yield y, getattr(getattr(y, "grad_fn", None), "needs_input_grad", None)


@scenario
def backward_under_its_names(torch):  # CF-17
    """`vjp` is a synonym; both, or neither, is an error once it is needed."""
    x = leaf(torch, 1, 2)
    mine = function(torch, squared, None, vjp=squared_back)
    mine.apply(x).sum().backward()
    yield x.grad
    both = function(torch, squared, squared_back, vjp=squared_back).apply(x)
    yield attempt(lambda: both.sum().backward())
    neither = function(torch, squared, None).apply(x)
    yield neither
    neither.sum().backward()


@scenario
def a_function_without_forward(torch):
    """Raises."""
    yield type("Empty", (torch.autograd.Function,), {}).apply(leaf(torch, 1))


@scenario
def tensors_in_lists_are_not_tracked(torch):  # CF-19
    """Only direct arguments are."""
    x = leaf(torch, 1, 2)
    yield function(torch, lambda ctx, xs: xs[0] * 2).apply([x])
    y = function(torch, lambda ctx, x, xs: xs[0] * x, lambda ctx, g: (g, None)).apply(x, [x])
    y.sum().backward()
    yield y, x.grad


@scenario
def shapes_of_what_forward_returns(torch):  # CF-21
    """A tuple is several outputs; a list is one that is no tensor."""
    x = leaf(torch, 1, 2)
    for answer in (
        lambda x: [x * 2],
        lambda x: (x * 2,),
        lambda x: None,
        lambda x: (),
        lambda x: (x * 2, (x * 3,)),
        lambda x: 3,
    ):
        yield function(torch, lambda ctx, x, answer=answer: answer(x)).apply(x)


@scenario
def an_input_returned_as_it_is(torch):  # CF-20
    """Is another tensor, whose gradient flows only through its own uses."""
    x = leaf(torch, 1, 2)
    y = function(torch, lambda ctx, x: x, lambda ctx, g: g * 5).apply(x)
    (y * 2 + x).sum().backward()
    yield y is x, y, x.grad
    w = torch.ones(2)
    y, z = function(torch, lambda ctx, x, w: (x * 1, w), lambda ctx, g, h: (g + h, h)).apply(x, w)
    yield z is w, z, w
    plain = function(torch, lambda ctx, w: w).apply(w)
    yield plain is w, plain
    with torch.no_grad():
        for given in (x, x * 2):
            same = function(torch, lambda ctx, x: x).apply(given)
            yield same is given, same, same.is_leaf


@scenario
def one_tensor_returned_twice(torch):
    """Is one object, and the last of its outputs."""
    given = []

    def forward(ctx, x):
        y = x * 2
        return y, y

    def backward(ctx, g, h):
        given.append((g, h))
        return g + h

    x = leaf(torch, 1, 2)
    a, b = function(torch, forward, backward).apply(x)
    (a * 2 + b).sum().backward()
    yield a is b, a.output_nr, given, x.grad


@scenario
def tensors_from_elsewhere(torch):
    """Become outputs of the node, or are cut off where nothing is recorded."""
    x, w = leaf(torch, 1, 2), leaf(torch, 3, 4)
    for given, answer in ((x, w), (x, w * 1), (torch.ones(2), w * 1), (torch.ones(2), leaf(torch, 5))):
        y = function(torch, lambda ctx, x, answer=answer: answer).apply(given)
        yield y is answer, y, y.is_leaf, type(y.grad_fn)


@scenario
def recording_inside_forward(torch):
    """What enable_grad records inside does not show outside."""

    def forward(ctx, x):
        with torch.enable_grad():
            return x * 2

    x = leaf(torch, 1, 2)
    y = function(torch, forward, lambda ctx, g: g * 7).apply(x)
    y.sum().backward()
    yield type(y.grad_fn), x.grad


@scenario
def undefined_gradients(torch):  # CF-23
    """None stops there, and a Function behind it gets zeros, or None if it says so."""
    x = leaf(torch, 1, 2)
    stop = function(torch, lambda ctx, x: x * 2, lambda ctx, g: None)
    stop.apply(x * 3).sum().backward()
    yield x.grad
    yield attempt(lambda: torch.autograd.grad(stop.apply(x * 3).sum(), x))
    yield torch.autograd.grad(stop.apply(x * 3).sum(), x, allow_unused=True)
    given = []

    def backward(ctx, g):
        given.append(g)
        return g

    for materialize in (True, False):

        def forward(ctx, x, materialize=materialize):
            ctx.set_materialize_grads(materialize)
            return x * 3

        stop.apply(function(torch, forward, backward).apply(x)).sum().backward()
        yield given, x.grad
    x.grad = None
    (stop.apply(x) + x * 4).sum().backward()
    yield x.grad


@scenario
def legacy_forms(torch):  # CF-24
    """Instances warn, and calling one raises."""

    class Old(torch.autograd.Function):
        def forward(self, x):
            return x * 2

        def backward(self, g):
            return g * 2

    x = leaf(torch, 1, 2)
    Old.apply(x).sum().backward()
    yield x.grad
    yield attempt(lambda: Old()(x))


@scenario
def saved_tensors_cleared_on_access(torch):  # CF-25
    """A second access raises."""
    told = []

    def backward(ctx, g):
        told.append(ctx.saved_tensors)
        told.append(attempt(lambda: ctx.saved_tensors))
        return g

    x = leaf(torch, 1, 2)
    function(torch, doubled, backward, clear_saved_tensors_on_access=True).apply(x).sum().backward()
    yield told


@scenario
def boxed_gradients(torch):  # CF-26
    """All gradients come as one list, which backward may empty."""
    told = []

    def backward(ctx, gs):
        told.append(gs)
        return gs.pop(0)

    x = leaf(torch, 1, 2)
    function(torch, lambda ctx, x: (x * 2, 3), backward, boxed_grads_call=True).apply(x)[0].sum().backward()
    yield told, x.grad


@scenario
def nothing_is_recorded_without_grad(torch):  # CF-28
    """Under no_grad, for what requires no grad, and for what is no tensor."""
    x = leaf(torch, 1, 2)
    needs = []
    mine = function(torch, lambda ctx, x: (needs.append(ctx.needs_input_grad), x * 2.0)[1])
    with torch.no_grad():
        yield mine.apply(x), mine.apply(x).grad_fn
    yield mine.apply(torch.ones(2)), mine.apply(torch.tensor([1, 2])), mine.apply(3), needs


@scenario
def errors_of_the_user_pass_through(torch):
    """From forward and from backward."""
    x = leaf(torch, 1, 2)
    yield attempt(lambda: function(torch, lambda ctx, x: 1 / 0).apply(x))
    yield attempt(
        lambda: function(torch, lambda ctx, x: x * 1, lambda ctx, g: {}["a"]).apply(x).sum().backward()
    )


@scenario
def gradients_summed_and_cast(torch):
    """A Function in the middle of broadcasting and mixed dtypes."""
    x = torch.tensor([[1.0], [2.0]], requires_grad=True)
    w = leaf(torch, 3, 4)
    mine = function(torch, lambda ctx, x, w: x * w, lambda ctx, g: (g * 2, g * 3))
    y = mine.apply(x, w)
    (y * y).sum().backward()
    yield y, x.grad, w.grad


@scenario
def inputs_restrict_what_runs(torch):
    """`backward(inputs=)` and `grad` ask for some of the gradients."""
    x, w = leaf(torch, 1, 2), leaf(torch, 3, 4)
    mine = function(torch, lambda ctx, x, w: x * w, lambda ctx, g: (g * 2, g * 3))
    y = mine.apply(x * 1, w)
    y.sum().backward(inputs=[w], retain_graph=True)
    yield x.grad, w.grad
    yield torch.autograd.grad(y.sum(), [x])
    y = mine.apply(x, w)
    y.retain_grad()
    (y * 5).sum().backward()
    yield y.grad


@scenario
def attributes_of_any_name(torch):
    """Users hang on ctx what they like, also under names that a node has here."""
    names = (
        "shape",
        "dtype",
        "edges",
        "number",
        "extras",
        "metas",
        "kinds",
        "places",
        "ctx",
        "name_",
        "answers",
    )

    def forward(ctx, x):
        for name in names:
            setattr(ctx, name, (name, 1))
        return (x * 2).sum(1)

    def backward(ctx, g):
        told.append([getattr(ctx, name) for name in names])
        return (g * 2).reshape(3, 1).expand(3, 2)

    told = []
    x = torch.ones(3, 2, dtype=torch.float64, requires_grad=True)
    y = function(torch, forward, backward).apply(x)
    (y * torch.ones(3, 3).double()).sum().backward()
    yield told, x.grad, y.grad_fn.name_


def test_something_different_is_noticed():
    """The comparison would tell one library from another."""
    torch = pytest.importorskip("torch")

    def differs(library):
        x = leaf(library, 1, 2)
        yield x * (2 if library is torch else 3)

    def warns(library):
        if library is torch:
            leaf(torch, 1).mul(2).grad  # noqa: B018
        yield 1

    def raises(library):
        yield library.__name__.index("torch")

    for each in (differs, warns, raises):
        assert seen(each, torch) != seen(each, refgrad)


def test_the_graph_of_a_function_needs_no_collector():
    """Neither inputs nor outputs that are saved keep the graph alive."""

    def forward(ctx, x):
        y = x * 2
        ctx.save_for_backward(x, y)
        return y

    gc.disable()
    try:
        x = leaf(refgrad, 1, 2)
        y = function(refgrad, forward).apply(x * 1)
        node, output = weakref.ref(y.grad_fn), weakref.ref(y)
        del y
        assert node() is None
        assert output() is None
    finally:
        gc.enable()


def test_a_long_chain_of_functions():
    """Is walked without recursion."""
    x = leaf(refgrad, 1)
    mine = function(refgrad, lambda ctx, x: x + 1, lambda ctx, g: g)
    y = x
    for _ in range(5000):
        y = mine.apply(y)
    y.sum().backward()
    assert x.grad.tolist() == [1.0]
