"""What optimisers share: groups of parameters with their settings, what is remembered of each, and zeroing."""

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from refgrad.modes import enable_grad, no_grad
from refgrad.nn.module import clear_gradients
from refgrad.tensor import Tensor

PLAIN = {"foreach": None, "differentiable": False, "fused": None, "capturable": False}
"""Settings by which PyTorch chooses how it computes; here they are named and stay as they are."""

DUPLICATE = (
    "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; "
    "see github.com/pytorch/pytorch/issues/40967 for more information"
)


class Optimizer:
    """The base of all optimisers. A subclass says in `update` what becomes of one parameter.

    param_groups: dicts of settings, each with its tensors under "params".
    state: what is remembered of each tensor from step to step.
    Raises TypeError or ValueError for what is no collection of leaves.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"torch.{params.dtype.word}Tensor"
            )
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        given = list(params)
        if not given:
            raise ValueError("optimizer got an empty parameter list")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Take more tensors, with settings of their own where they are named."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        tensors = [params] if isinstance(params, Tensor) else _ordered(params)
        for tensor in tensors:
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    f"optimizer can only optimize Tensors, but one of the params is {type(tensor).__name__}"
                )
            if tensor.is_complex():
                raise NotImplementedError("optimisers of complex tensors are not implemented here")
            if not tensor.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
        if len(set(tensors)) != len(tensors):
            warnings.warn(DUPLICATE, UserWarning, stacklevel=3)
        held = {tensor for group in self.param_groups for tensor in group["params"]}
        if not held.isdisjoint(tensors):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append({**self.defaults, **param_group, "params": tensors})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradient of every tensor, or with `set_to_none=False` make it zeros, in place."""
        clear_gradients((p for group in self.param_groups for p in group["params"]), set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every tensor that has a gradient. A `closure` is called first, recording; its answer is returned."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is not None:
                        self.update(p, -p.grad if group["maximize"] else p.grad, group)
        return loss

    def update(self, p: Tensor, g: Tensor, group: Mapping[str, Any]) -> None:
        """Move `p`, whose gradient is `g`, in place, and remember in `self.state[p]`. Subclasses say how."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """The state and the groups, with numbers in place of the tensors."""
        numbers = self._numbers()
        groups = [
            {
                **{k: v for k, v in group.items() if k != "params"},
                "params": [numbers[p] for p in group["params"]],
            }
            for group in self.param_groups
        ]
        return {"state": {numbers[p]: state for p, state in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state; ValueError where the groups are others."""
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(a["params"]) != len(b["params"]) for a, b in zip(saved, self.param_groups, strict=True)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        for given, group in zip(saved, self.param_groups, strict=True):
            group.update({k: v for k, v in given.items() if k != "params"})
        places = {n: p for given, group in zip(saved, self.param_groups, strict=True)
                  for n, p in zip(given["params"], group["params"], strict=True)}  # fmt: skip
        self.state.clear()
        for number, held in state_dict["state"].items():
            self.state[places[number]] = {
                k: v.clone() if isinstance(v, Tensor) else v for k, v in held.items()
            }

    def _numbers(self) -> dict[Tensor, int]:
        tensors = OrderedDict.fromkeys(p for group in self.param_groups for p in group["params"])
        return {tensor: number for number, tensor in enumerate(tensors)}

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for number, group in enumerate(self.param_groups):
            lines = [f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params"]
            text += f"\nParameter Group {number}\n" + "".join(lines)
        return text + ")"


def _ordered(params: Iterable[Any]) -> list[Any]:
    """The tensors in order; TypeError for a set, which has none."""
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
            "will change between runs. Please use a list instead."
        )
    return list(params)


def check_settings(checks: Mapping[str, tuple[Any, bool]]) -> None:
    """ValueError with PyTorch's words for the first setting that is not right."""
    for says, (value, right) in checks.items():
        if not right:
            raise ValueError(f"Invalid {says}: {value}")


def check_plain(settings: Mapping[str, Any]) -> None:
    """NotImplementedError where one of `PLAIN` is asked for."""
    for name, value in settings.items():
        if value:
            raise NotImplementedError(f"refgrad's optimisers are plain: they have no {name}={value!r}")
