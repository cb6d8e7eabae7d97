"""Adam: steps by the running mean of gradients over the root of the running mean of their squares."""

from collections.abc import Mapping
from math import sqrt
from typing import Any

from refgrad.factories import tensor, zeros_like
from refgrad.optim.optimizer import PLAIN, Optimizer, check_plain, check_settings
from refgrad.tensor import Tensor


class Adam(Optimizer):
    """p - lr * m / (sqrt(v) + eps), of which m and v are corrected for having started from zero.

    betas: how much of m and of v is kept from step to step. eps: what keeps the quotient finite.
    weight_decay: how much of p is added to g. maximize: climb instead.
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_settings({
            "learning rate": (lr, not lr < 0.0),
            "epsilon value": (eps, not eps < 0.0),
            "beta parameter at index 0": (betas[0], 0 <= betas[0] < 1),
            "beta parameter at index 1": (betas[1], 0 <= betas[1] < 1),
            "weight_decay value": (weight_decay, not weight_decay < 0.0),
        })  # fmt: skip
        how = {"foreach": foreach, "capturable": capturable, "differentiable": differentiable, "fused": fused}
        check_plain({"amsgrad": amsgrad, **how})
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": False}
        named = {"maximize": maximize, **{name: PLAIN[name] for name in how}, "decoupled_weight_decay": False}
        super().__init__(params, {**settings, **named})

    def update(self, p: Tensor, g: Tensor, group: Mapping[str, Any]) -> None:
        """One step; m and v are remembered as `exp_avg` and `exp_avg_sq`, and how often as `step`."""
        state = self.state[p]
        if not state:
            state.update(step=tensor(0.0), exp_avg=zeros_like(p), exp_avg_sq=zeros_like(p))
        state["step"].add_(1)
        if group["weight_decay"]:
            g = g.add(p, alpha=group["weight_decay"])
        (keep_m, keep_v), m, v = group["betas"], state["exp_avg"], state["exp_avg_sq"]
        m.add_((g - m) * (1 - keep_m))
        v.mul_(keep_v).add_(g * g, alpha=1 - keep_v)
        steps = state["step"].item()
        root = v.sqrt() / sqrt(1 - keep_v**steps) + group["eps"]
        p.add_(m / root, alpha=-group["lr"] / (1 - keep_m**steps))
