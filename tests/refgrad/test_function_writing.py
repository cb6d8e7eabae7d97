"""Custom Functions that write in place, or whose views are written to: run on torch and on refgrad."""

from .beside import attempt, function, leaf, scenarios

scenario, test_the_same_on_torch = scenarios()


@scenario
def inputs_modified_in_place(torch):  # CF-8
    """Are returned as the same objects, one version older."""
    x = leaf(torch, 1, 2)

    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    for given in (x * 1, torch.ones(2), x):
        y = attempt(lambda given=given: function(torch, forward, lambda ctx, g: g * 2).apply(given))
        yield y is given, y, getattr(y, "_version", None), type(getattr(y, "grad_fn", None))
    with torch.no_grad():
        z = x * 1
        y = function(torch, forward).apply(z.requires_grad_())
        yield y is z, y, z._version
    z = x * 3
    y = function(torch, forward, lambda ctx, g: g * 2).apply(z)
    (y * y).sum().backward()
    yield x.grad, z.requires_grad


@scenario
def views_modified_in_place(torch):  # CF-8
    """Their base takes the history."""
    x = leaf(torch, 1, 2)

    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2)

    def two(ctx, x):
        ctx.mark_dirty(x)
        return x.mul_(2), x * 3

    base = x * 1
    view = base[:1]
    y = function(torch, forward, lambda ctx, g: g * 5).apply(view)
    yield y is view, y, type(y.grad_fn), base, base.grad_fn.name()
    (base * base).sum().backward()
    yield x.grad
    yield attempt(lambda: function(torch, two).apply((x * 1)[:1]))


@scenario
def stale_saved_tensors(torch):  # CF-6
    """Inputs, outputs and what was written to on the way."""
    x = leaf(torch, 1, 2)
    w = torch.ones(2, dtype=torch.float64)

    def forward(ctx, x, w):
        ctx.save_for_backward(w)
        return x * w

    y = function(torch, forward, lambda ctx, g: (g * ctx.saved_tensors[0], None)).apply(x, w)
    w.add_(1)
    yield attempt(lambda: y.sum().backward()), attempt(lambda: y.grad_fn.saved_tensors)

    def made(ctx, x):
        y = x * 2
        ctx.save_for_backward(y)
        return y

    for write in (False, True):
        y = function(torch, made, lambda ctx, g: g * ctx.saved_tensors[0]).apply(x)
        if write:
            y.add_(1)
        yield attempt(lambda y=y: y.sum().backward()), x.grad

    def dirty(ctx, x):
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x.mul_(2)

    for write in (False, True):
        z = x * 1
        y = function(torch, dirty, lambda ctx, g: g * ctx.saved_tensors[0]).apply(z)
        if write:
            y.add_(1)
        yield attempt(lambda y=y: y.sum().backward()), x.grad


@scenario
def modified_without_a_mark(torch):
    """Is another tensor, which backward does not notice."""
    x = leaf(torch, 1, 2)
    for given in (x * 1, x):
        y = function(torch, lambda ctx, x: x.mul_(2)).apply(given)
        yield y is given, y, given._version


@scenario
def writing_to_views_from_a_function(torch):  # IP-12
    """Is refused: it would go around its backward."""
    x = leaf(torch, 1, 2)
    for forward in (
        lambda ctx, x: x.view(2, 1),
        lambda ctx, x: x,
        lambda ctx, x: (x[:1], x[1:]),
        lambda ctx, x: (x[:1], x * 2),
        lambda ctx, x: (x[:1], 3),
        lambda ctx, x: x * 2,
    ):
        for given in (x * 1, x.detach()):
            made = function(torch, forward, lambda ctx, *gs: gs[0].reshape(-1)).apply(given)
            y = made[0] if isinstance(made, tuple) else made
            yield y, attempt(lambda y=y: y.mul_(2)), given
            yield attempt(lambda y=y: type(y.grad_fn))


@scenario
def bases_written_to_after_a_function(torch):
    """Make its views unusable."""
    z = leaf(torch, 1, 2) * 1
    y = function(torch, lambda ctx, x: x.view(2, 1), lambda ctx, g: g.reshape(2)).apply(z)
    z.mul_(2)
    yield y.detach(), attempt(lambda: y.grad_fn), attempt(lambda: y * 2)
