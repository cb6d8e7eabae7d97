"""Scripts with modules, losses and optimisers: run unchanged, they print the same."""

import pytest

pytest.importorskip("torch")

from .test_tutorials import same_output

SCRIPTS = {
    "a module of one's own": """
        import torch
        import torch.nn as nn
        import torch.nn.functional as F
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.scale = nn.Parameter(torch.tensor([1.0, 2.0]))
                self.hidden = nn.Linear(2, 3)
                self.out = nn.Linear(3, 1, bias=False)
                self.register_buffer("seen", torch.zeros(1))
            def forward(self, x):
                return self.out(F.relu(self.hidden(x * self.scale)))
        torch.manual_seed(0)
        net = Net()
        print(net)
        print(net.scale, net.hidden.weight, net.hidden.bias, net.out.bias, sep="\\n")
        for name, p in net.named_parameters():
            print(name, p.shape, p.requires_grad, isinstance(p, nn.Parameter), p.is_leaf)
        print(list(net.parameters())[0], [n for n, _ in net.named_modules()], [n for n, _ in net.named_children()])
        print(net.state_dict())
        y = net(torch.tensor([[1.0, -1.0], [0.5, 2.0]]))
        print(y, y.grad_fn.name())
        y.sum().backward()
        print(net.scale.grad, net.hidden.weight.grad, net.out.weight.grad, sep="\\n")
        net.zero_grad()
        print([p.grad for p in net.parameters()], net.training, net.eval().training, net.train().hidden.training)
        print(sum(p.numel() for p in net.parameters() if p.requires_grad))
        for wrong in (lambda: net.missing, lambda: setattr(net, "scale", torch.ones(2)), lambda: nn.Module()(1),
                      lambda: net.hidden(torch.ones(2, 5)), lambda: net.load_state_dict({"scale": torch.ones(3)})):
            try:
                wrong()
            except Exception as error:
                print(type(error).__name__, error)
    """,
    "layers in a row": """
        import torch
        from torch import nn
        model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 3), nn.LeakyReLU(0.1), nn.Flatten(),
                              nn.Sigmoid())
        print(model, len(model), model[0], model[1:3], sep="\\n")
        print(nn.ModuleList([nn.ReLU(), nn.ReLU(), nn.Identity()]), nn.GELU(), nn.ELU(), nn.Softplus(),
              nn.Softmax(dim=1))
        print(nn.MSELoss(), nn.BCELoss(), nn.CrossEntropyLoss(), nn.L1Loss(), nn.SiLU(), nn.LogSoftmax(1))
        with torch.no_grad():
            for p in model.parameters():
                p.fill_(0.25)
        x = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
        print(model(x))
        model.double()
        print(model(x.double()), model[0].weight.dtype)
        model.requires_grad_(False)
        print(model[2].bias, model(x.double()).requires_grad)
        print(model.load_state_dict(nn.Sequential(*[m for m in model]).state_dict()))
    """,
    "losses": """
        import torch
        import torch.nn.functional as F
        from torch import nn
        p = torch.tensor([[2.0, -1.0, 0.5], [0.1, 0.2, -3.0]], requires_grad=True)
        t = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.5, 1.0]])
        c = torch.tensor([0, 2])
        for loss in (nn.MSELoss()(p, t), nn.MSELoss(reduction="sum")(p, t), F.mse_loss(p, t, reduction="none"),
                     nn.L1Loss()(p, t), nn.BCELoss()(p.sigmoid(), t), nn.BCEWithLogitsLoss()(p, t),
                     nn.CrossEntropyLoss()(p, c), F.cross_entropy(p, t), nn.NLLLoss()(F.log_softmax(p, 1), c),
                     F.cross_entropy(p, c, weight=torch.tensor([1.0, 2.0, 3.0]), reduction="sum"),
                     nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.0, 1.0, 0.5]))(p, t)):
            print(loss, [n and n.name() for n, _ in loss.grad_fn.next_functions])
            p.grad = None
            loss.sum().backward()
            print(p.grad)
        print((F.softmax(p, 1).argmax(1) == c).float().mean(), F.one_hot(c))
    """,
    "gradient descent": """
        import torch
        from torch import nn, optim
        x = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
        y = 2 * x + 1
        torch.manual_seed(1)
        model = nn.Linear(1, 1)
        optimizer = optim.SGD(model.parameters(), lr=0.05)
        print(model.weight.item(), model.bias.item())
        print(optimizer)
        for epoch in range(8):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            print(epoch, f"{loss.item():.4f}", model.weight.grad)
        print(model.weight, model.bias, sep="\\n")
    """,
    "the settings of SGD": """
        import torch
        from torch import optim
        for settings in (dict(lr=0.1), dict(lr=0.1, momentum=0.9), dict(lr=0.1, momentum=0.9, dampening=0.5),
                         dict(lr=0.1, momentum=0.9, nesterov=True), dict(lr=0.1, weight_decay=0.1),
                         dict(lr=0.1, momentum=0.5, weight_decay=0.2, maximize=True)):
            p = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
            optimizer = optim.SGD([p], **settings)
            for _ in range(4):
                optimizer.zero_grad()
                (p ** 2).sum().backward()
                optimizer.step()
                print(p)
            print(optimizer.state_dict())
    """,
    "Adam": """
        import torch
        from torch import optim
        for settings in (dict(), dict(lr=0.1), dict(lr=0.1, betas=(0.5, 0.9), eps=1e-3),
                         dict(lr=0.1, weight_decay=0.1)):
            p = torch.tensor([1.0, -2.0, 3.0], requires_grad=True)
            q = torch.tensor(0.5, requires_grad=True)
            optimizer = optim.Adam([{"params": [p]}, {"params": q, "lr": 0.01}], **settings)
            for _ in range(4):
                optimizer.zero_grad()
                ((p ** 2).sum() * q).backward()
                optimizer.step()
                print(p, q)
            print(optimizer)
            print(optimizer.state[p])
    """,
    "zeroing and accumulation": """
        import torch
        from torch import nn, optim
        model = nn.Linear(2, 1)
        with torch.no_grad():
            model.weight.copy_(torch.tensor([[1.0, -1.0]]))
            model.bias.zero_()
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        for row in x:
            model(row).sum().backward()
            print(model.weight.grad, model.bias.grad)
        before = model.weight.grad
        optimizer.zero_grad(set_to_none=False)
        print(model.weight.grad, model.weight.grad is before, before)
        optimizer.step()
        print(model.weight)
        model(x).sum().backward()
        print(model.weight.grad is before, before)
        optimizer.zero_grad()
        print(model.weight.grad, before)
        optimizer.step()
        print(model.weight, model.bias)
        model(x).mean().backward()
        model.zero_grad(set_to_none=False)
        print(model.bias.grad)
    """,
    "a classifier": """
        import torch
        from torch import nn
        torch.manual_seed(3)
        points = torch.rand(30, 2)
        labels = ((points[:, 0] - points[:, 1]) > 0).long()
        model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
        loss_fn = nn.CrossEntropyLoss()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        for epoch in range(40):
            scores = model(points)
            loss = loss_fn(scores, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if epoch % 10 == 9:
                right = (scores.argmax(dim=1) == labels).sum().item()
                print(f"epoch {epoch + 1}: loss {loss.item():.3f}, {right}/{len(labels)} right")
        model.eval()
        with torch.no_grad():
            print(model(points[:3]).softmax(dim=1).max(dim=1).indices, labels[:3])
    """,
    "parts of modules": """
        import torch
        import torch.nn.functional as F
        from torch import nn
        class Block(nn.Module):
            def __init__(self, width):
                super().__init__()
                self.inner = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
                self.same = self.inner[0]
                self.empty = None
                self.register_parameter("absent", None)
                self.register_buffer("count", torch.tensor([0.0]))
                self.width = width
            def forward(self, x):
                self.count = self.count + 1
                for layer in self.inner:
                    x = torch.tanh(layer(x))
                return x
            def extra_repr(self):
                return f"width={self.width}"
        block = Block(2)
        print(block, len(block.inner), [type(m).__name__ for m in block.modules()], block.absent)
        print([n for n, _ in block.named_parameters()], [n for n, _ in block.named_buffers()], list(block.state_dict()))
        print([n for n, _ in block.named_parameters(prefix="p", recurse=False)], len(list(block.inner.children())))
        block.apply(lambda m: print("visited", type(m).__name__))
        with torch.no_grad():
            for p in block.parameters():
                p.fill_(0.5)
        print(block(torch.tensor([1.0, -2.0])), block.count, list(block.buffers()))
        block.inner.append(nn.Linear(2, 2, bias=False)).extend([nn.ReLU()])
        print(block.inner[-1], block.inner[1:3], "inner" in dir(block), hasattr(block, "missing"))
        block.same = None
        block.count = None
        del block.absent
        print(list(block.state_dict()), block.same, hasattr(block, "absent"))
        block.inner[0].weight = nn.Parameter(torch.zeros(2, 2))
        block.inner[0].bias = None
        print(block.inner[0], block.inner[0].weight, [n for n, _ in block.named_parameters()])
        from collections import OrderedDict
        print(nn.Sequential(OrderedDict(first=nn.Identity(), last=nn.Sigmoid())), nn.Sequential()(3))
        print(nn.ModuleList(), nn.Parameter(), nn.Parameter(torch.ones(1), requires_grad=False))
        state = {k: torch.full_like(v, 0.25) for k, v in block.state_dict().items()}
        print(block.load_state_dict(state), block.inner[1].weight)
        print(block.load_state_dict({"extra": torch.ones(1)}, strict=False))
        half = nn.Linear(2, 1).to(torch.float64)
        half(torch.ones(3, 2).double()).sum().backward()
        print(half.weight.grad, half.float().weight.grad, half.to("cpu").weight.dtype, half.cpu().bias.dtype)
        print(F.softmax(torch.tensor([[1.0, 2.0]])), F.log_softmax(torch.tensor([1.0, 2.0]), dim=0))
        print(F.mse_loss(torch.ones(2, 1), torch.zeros(2)), F.l1_loss(torch.ones(1), torch.ones(3), reduction="sum"))
        print(nn.NLLLoss(weight=torch.tensor([1.0, 3.0]))(torch.tensor([[0.5, 1.0]]), torch.tensor([1])))
        print(F.cross_entropy(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 0.5]]), reduction="none"))
        ones = torch.ones(2)
        print(F.cross_entropy(torch.tensor([1.0, 2.0]), torch.tensor([0.5, 0.5]), weight=ones, reduction="sum"))
        print(F.relu(torch.tensor([-1.0, 1.0])), F.relu(torch.tensor([-1.0, 1.0]) * 1, inplace=True))
    """,
    "an optimiser's state": """
        import torch
        from torch import optim
        p = torch.tensor([1.0, 2.0], requires_grad=True)
        q = torch.tensor([3.0], requires_grad=True)
        first = optim.SGD([p], lr=0.1, momentum=0.9)
        first.add_param_group({"params": [q], "lr": 0.5})
        (p.sum() * q).sum().backward()
        first.step()
        print(first.state_dict(), p, q)
        second = optim.SGD([{"params": [p]}, {"params": [q]}], lr=1.0)
        second.load_state_dict(first.state_dict())
        print(second)
        second.step()
        print(p, q, second.state_dict())
        print(second.defaults["lr"], [len(g["params"]) for g in second.param_groups])
        doubled = optim.SGD([q, q], lr=0.25)
        doubled.step()
        print(q)
    """,
    "a closure, and settings that are refused": """
        import torch
        from torch import nn, optim
        p = nn.Parameter(torch.tensor([2.0]))
        optimizer = optim.SGD([p], lr=0.25)
        def closure():
            optimizer.zero_grad()
            loss = (p * p).sum()
            loss.backward()
            return loss
        print(optimizer.step(closure), p)
        with torch.no_grad():
            print(optimizer.step(closure), p)
        optimizer.param_groups[0]["lr"] = 0.5
        print(optimizer.step(closure), p, optimizer.param_groups[0]["lr"])
        for wrong in (lambda: optim.SGD([], lr=0.1), lambda: optim.SGD([p], lr=-1.0), lambda: optim.SGD(p, lr=0.1),
                      lambda: optim.SGD([p * 1], lr=0.1), lambda: optim.SGD([3], lr=0.1),
                      lambda: optim.SGD({p}, lr=0.1),
                      lambda: optim.SGD([p], nesterov=True), lambda: optim.SGD([p], momentum=-1),
                      lambda: optim.Adam([p], betas=(1.0, 0.9)), lambda: optim.Adam([p], eps=-1),
                      lambda: optim.SGD([{"params": [p]}, {"params": [p]}]), lambda: optim.Adam([p], weight_decay=-1)):
            try:
                wrong()
            except Exception as error:
                print(type(error).__name__, error)
    """,
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_prints_what_it_prints_with_torch(script, monkeypatch):
    """Every line, number for number and word for word."""
    same_output(script, monkeypatch)
