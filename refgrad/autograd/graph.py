"""What PyTorch keeps under `torch.autograd.graph`: the graph's nodes and edges, and hooks on what it saves."""

from refgrad.backward import GradientEdge, get_gradient_edge
from refgrad.graph import Node
from refgrad.hooks import register_multi_grad_hook
from refgrad.saved import disable_saved_tensors_hooks, save_on_cpu, saved_tensors_hooks

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]
