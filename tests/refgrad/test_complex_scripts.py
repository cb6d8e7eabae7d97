"""Complex numbers in scripts: dtypes, parts, graphs, errors and their words, as in PyTorch; and what is left out."""

# ruff: noqa: D103 (a snippet says its sentence itself)

import warnings

import pytest

torch = pytest.importorskip("torch")

import refgrad  # noqa: E402

from .side_by_side import Table, agree  # noqa: E402

same = Table()


@same()
def dtypes_of_results(torch, log):
    kinds = [
        torch.bool,
        torch.int64,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.cfloat,
        torch.cdouble,
    ]
    for a in kinds:
        for b in kinds:
            for first, second in (((2,), (2,)), ((2,), ()), ((), ())):
                log.append((torch.ones(first, dtype=a) * torch.ones(second, dtype=b)).dtype)
        log.append(
            [
                (torch.ones(2, dtype=a) * 1j).dtype,
                (1j - torch.ones((), dtype=a) * 1.5).dtype,
            ]
        )
    log.append([str(each) for each in log])


@same()
def making_them(torch, log):
    for x in (torch.tensor(1 + 2j), torch.tensor([[1, True], [2.5, 1j]]), torch.tensor([1, 2], dtype=torch.cdouble),
              torch.full((2,), 1j), torch.zeros(2, dtype=torch.cfloat), torch.ones(2, dtype=torch.cdouble),
              torch.eye(2, dtype=torch.cfloat), torch.as_tensor(2j), torch.zeros_like(torch.tensor([1j])),
              torch.tensor([1.5]).cfloat(), torch.tensor([True]).cdouble(), torch.tensor([1j, 0]).bool()):  # fmt: skip
        log.append([x, x.is_complex(), x.is_floating_point(), x.dtype.is_complex, x.type(), repr(x)])
    z = torch.tensor(1 + 2j)
    return [z.item(), complex(z), bool(z), float(torch.tensor(2 + 0j)), int(torch.tensor(3 + 0j)), f"{z:.2f}"]


@same()
def parts_of_real_tensors(torch, log):
    x = torch.tensor([1.0, -2.0, 0.0], requires_grad=True)
    y = torch.angle(x)
    y.sum().backward()
    return [
        torch.conj(x) is x,
        torch.real(x) is x,
        x.real is x,
        y,
        x.grad,
        torch.sgn(x),
        torch.angle(torch.tensor([1, -1])),
    ]


@same()
def parts_are_views(torch, log):
    z = torch.tensor([1 + 2j, 3])
    z.real[0], z.imag[1] = 7, 9
    torch.view_as_real(z)[1, 0] = 5
    log.append([z, z.real._is_view(), z.real.stride(), z._version])
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.view_as_complex(x).mul_(1j)
    return x


@same()
def graphs_of_parts(torch, log):
    z = torch.tensor([1 + 2j, 3], requires_grad=True)
    for y in (z.conj() * 1, z.abs(), z.real, z.imag, torch.view_as_real(z), z.angle(), z.sgn(),
              z**1j, 1j**z, z.sigmoid(),
              z.acosh(), z.asin(), torch.complex(z.real, z.imag), torch.polar(z.real, z.imag)):  # fmt: skip
        log.append([y.grad_fn, [node for node, _ in y.grad_fn.next_functions]])


@same()
def real_leaves_get_real_gradients(torch, log):
    for kind in (torch.bfloat16, torch.float32, torch.float64):
        x = torch.tensor([1.0, 2.0], dtype=kind, requires_grad=True)
        y = x * torch.tensor([1 + 3j, 2])
        (y * y.conj()).real.sum().backward()
        log.append([x.grad.dtype, x.grad.double()])
        (g,) = torch.autograd.grad((x * 1j).abs().sum(), x, create_graph=True)
        log.append([g.dtype, g.detach().double()])
    log.append([str(each) for each in log])


@same()
def gradients_of_any_dtype_are_real_where_the_leaf_is(torch, log):
    x = torch.tensor([2.0, 3.0], requires_grad=True)
    z = torch.tensor([2.0, 3j], requires_grad=True)
    x.grad_dtype = z.grad_dtype = None
    (x * 1j * z).abs().sum().backward()
    (g,) = torch.autograd.grad((x * 1j).abs().sum(), x, create_graph=True)
    return [x.grad, z.grad, g.detach()]


@same()
def hooks_and_retained_gradients_are_complex(torch, log):
    z = torch.tensor([1 + 2j, 3], requires_grad=True)
    y = z * 2j
    y.retain_grad()
    y.register_hook(lambda g: log.append(g))
    y.abs().sum().backward()
    z.grad *= 2
    return [y.grad, z.grad]


@same()
def functions_of_one_s_own(torch, log):
    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, g):
            return g * 2 * ctx.saved_tensors[0].conj()

    z = torch.tensor([1 + 2j, 3], requires_grad=True)
    Twice.apply(z).abs().sum().backward()
    return z.grad


@same()
def comparisons(torch, log):
    z = torch.tensor([1 + 2j, 3])
    log.append(
        [z == 3, z != z, z == torch.tensor([1.0, 3.0]), torch.equal(z, z), 3 in z, torch.isclose(z, z + 1e-9)]
    )
    log.append([z.isnan(), z.all(), z.logical_not(), z.clone().eq_(3), z.clone().ne_(z), z.clone().eq_(z)])


def refused(name, error, text):
    """A snippet that ends with `error`."""

    def snippet(torch, log):
        eval(
            text,
            {"torch": torch, "z": torch.tensor([1 + 2j, 3]), "w": torch.tensor([1j], requires_grad=True)},
        )

    snippet.__name__ = f"refused_{name}"
    same(error)(snippet)


for _place, (_error, _text) in enumerate([
    (RuntimeError, "w.sum().backward()"),
    (RuntimeError, "torch.ones(2, dtype=torch.cdouble, requires_grad=True).backward()"),
    (RuntimeError, "w.sum().backward(torch.tensor(1.0))"),
    (RuntimeError, "w.abs().sum().backward(torch.tensor(1j))"),
    (RuntimeError, "float(z[0])"), (RuntimeError, "int(z[0])"), (TypeError, "range(z[0])"),
    (TypeError, "torch.tensor(1j, dtype=torch.float32)"), (TypeError, "torch.tensor(1j, dtype=torch.int64)"),
    (RuntimeError, "torch.full((2,), 1j, dtype=torch.float32)"), (RuntimeError, "torch.ones(2).fill_(1j)"),
    (RuntimeError, "torch.ones(2).mul_(1j)"), (RuntimeError, "torch.ones(2).add_(z)"), (RuntimeError, "z.abs_()"),
    (RuntimeError, "torch.ones(2).__setitem__(0, 1j)"), (NotImplementedError, "z < 2"),
    (NotImplementedError, "torch.ones(2) >= 1j"), (NotImplementedError, "z.lt_(2)"), (NotImplementedError, "z.max()"),
    (RuntimeError, "z.max(0)"), (RuntimeError, "z.argmax()"), (TypeError, "~z"), (NotImplementedError, "z & z"),
    (NotImplementedError, "torch.arange(3, dtype=torch.cfloat)"), (RuntimeError, "torch.imag(torch.ones(2))"),
    (RuntimeError, "torch.view_as_real(torch.ones(2))"), (RuntimeError, "torch.view_as_complex(torch.ones(3))"),
    (RuntimeError, "torch.view_as_complex(torch.ones(2, 2).int())"),
    (RuntimeError, "torch.view_as_complex(torch.tensor(1.0))"),
    (RuntimeError, "torch.view_as_complex(torch.ones(2, 2).t())"),
    (RuntimeError, "torch.view_as_complex(torch.ones(2, 3)[:, :2])"),
    (RuntimeError, "torch.complex(torch.ones(2), torch.ones(2).double())"), (TypeError, "torch.complex(1.0, 2.0)"),
    (RuntimeError, "torch.complex(torch.ones(2).int(), torch.ones(2).int())"), (RuntimeError, "z.mH"),
    (RuntimeError, "torch.sub(torch.ones(1), torch.ones(1), alpha=1j)"),
]):  # fmt: skip
    refused(str(_place), _error, _text)


@same.each()
def test_both_libraries_do_the_same(snippet, raises):
    """Events, results, exceptions and their words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agree(torch, snippet, raises)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("torch.ones(2, dtype=torch.float16) * 1j", "complex32 is not implemented"),
        ("torch.complex(torch.ones(2).half(), torch.ones(2).half())", "complex32 is not implemented"),
        ("z.float()", "drop its imaginary part"),
        ("torch.ones(2).copy_(z)", "drop their imaginary parts"),
        ("torch.ones(2).__setitem__(0, z[0])", "drop their imaginary parts"),
        ("torch.tensor(z.numpy(), dtype=torch.float32)", "drop its imaginary part"),
        ("torch.linspace(0, 1, 3, dtype=torch.cfloat)", "linspace of complex numbers"),
        (
            "torch.autograd.gradcheck(lambda x: x * x, z.cdouble().requires_grad_())",
            "gradcheck of complex inputs",
        ),
        ("torch.optim.SGD([z.requires_grad_()], lr=0.1)", "optimisers of complex tensors"),
        ("torch.nn.Parameter(z)", "complex parameters"),
        ("torch.randn(2, dtype=torch.cfloat)", "not implemented for 'ComplexFloat'"),
    ],
)
def test_what_is_left_out_says_so(text, words):
    """PyTorch can do these; here they are refused."""
    with pytest.raises(NotImplementedError, match=words):
        eval(text, {"torch": refgrad, "z": refgrad.tensor([1 + 2j, 3])})


def test_forward_mode_is_refused():
    """Duals of complex tensors, and complex results of real duals."""
    fwd = refgrad.autograd.forward_ad
    with fwd.dual_level():
        with pytest.raises(NotImplementedError, match="forward mode"):
            fwd.make_dual(refgrad.tensor(1j), refgrad.tensor(1j))
        x = fwd.make_dual(refgrad.tensor(1.0), refgrad.tensor(1.0))
        with pytest.raises(NotImplementedError, match="forward mode"):
            x * 1j


def test_a_recorded_write_through_a_part_is_refused():
    """To the part itself, and to its base while the part is used on."""
    z = refgrad.tensor([1 + 2j, 3], requires_grad=True)
    y = z * 1
    with pytest.raises(RuntimeError, match="not implemented here"):
        y.real.mul_(2)
    part = y.imag
    y.mul_(2)
    with pytest.raises(RuntimeError, match="not implemented here"):
        part.sum().backward()
    pairs = refgrad.ones(2, 2, requires_grad=True) * 1
    with pytest.raises(RuntimeError, match="not implemented here"):
        refgrad.view_as_complex(pairs).mul_(1j)
