"""Stochastic gradient descent."""

from collections.abc import Mapping
from typing import Any

from refgrad.optim.optimizer import PLAIN, Optimizer, check_plain, check_settings
from refgrad.tensor import Tensor


class SGD(Optimizer):
    """p - lr*g, where g may be carried on from step to step.

    momentum, dampening: of each step the velocity is momentum times the last plus 1 - dampening times g; the first
        is g itself. nesterov: the step looks ahead by the momentum once more.
    weight_decay: how much of p is added to g. maximize: climb instead.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_settings({
            "learning rate": (lr, not lr < 0.0),
            "momentum value": (momentum, not momentum < 0.0),
            "weight_decay value": (weight_decay, not weight_decay < 0.0),
        })  # fmt: skip
        check_plain({"foreach": foreach, "differentiable": differentiable, "fused": fused})
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        settings = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize,
        }  # fmt: skip
        how = {name: PLAIN[name] for name in ("foreach", "differentiable", "fused")}
        super().__init__(params, {**settings, **how})

    def update(self, p: Tensor, g: Tensor, group: Mapping[str, Any]) -> None:
        """One step; the velocity is remembered as `momentum_buffer`."""
        if group["weight_decay"]:
            g = g.add(p, alpha=group["weight_decay"])
        momentum = group["momentum"]
        if momentum:
            state = self.state[p]
            velocity = state.get("momentum_buffer")
            if velocity is None:
                velocity = state["momentum_buffer"] = g.detach().clone()
            else:
                velocity.mul_(momentum).add_(g, alpha=1 - group["dampening"])
            g = g.add(velocity, alpha=momentum) if group["nesterov"] else velocity
        p.add_(g, alpha=-group["lr"])
