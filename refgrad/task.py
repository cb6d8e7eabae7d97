"""One backward pass: what was asked of it, what is on its way, and which of the graph's nodes it runs."""

from collections.abc import Iterable, Set
from threading import local
from typing import Any, Final

from refgrad.graph import Edge, Node

Pending = dict[Node | Edge, Any]
"""The cotangents on their way, by node; those of outputs other than a node's first, by edge."""


NONE: Final[frozenset[Node]] = frozenset()


Closing = dict[Node | None, list[Node]]
"""The leaves that have got all of their gradient once a node has run; under None those that need no node."""


class Task:
    """A backward pass.

    create_graph: whether cotangents are tensors, of which a graph is made, and not arrays.
    keep: whether nodes keep what they saved, for another pass.
    targets: the edges that were asked for; None if all leaves are.
    capture: whether what arrives at the targets is to be returned; if not, their nodes run too.
    aims: the nodes of the targets; needed: those that run, where not all do; useful: those and the aims.
    order: the nodes that were found, in the order in which they run, and the leaves that each completes.
    """

    aims: Set[Node]
    needed: Set[Node]
    targets: set[Edge] | None
    useful: set[Node] | None

    __slots__ = (
        "__weakref__",
        "aims",
        "capture",
        "caught",
        "create_graph",
        "keep",
        "needed",
        "order",
        "pending",
        "targets",
        "useful",
    )

    def __init__(
        self, *, create_graph: bool, keep: bool, targets: Iterable[Edge] | None, capture: bool
    ) -> None:
        self.pending: Pending = {}
        self.create_graph = create_graph
        self.keep = keep
        self.capture = capture
        self.caught: dict[Edge, Any] = {}
        self.targets = self.useful = None
        self.aims = self.needed = NONE
        self.order: tuple[list[Node], Closing] = [], {}
        if targets is not None:
            self.targets = set(targets)
            self.aims = {node for node, _ in self.targets}

    def choose(self, nodes: Iterable[Node]) -> None:
        """Decide which of `nodes`, which come last made first, lead to the targets."""
        leading: set[Node] = set()
        for node in reversed(list(nodes)):
            if any(behind in self.aims or behind in leading for behind in node.edges):
                leading.add(node)
        self.needed = leading if self.capture else leading | self.aims
        self.useful = leading | self.aims

    def will_run(self, node: Node) -> bool:
        """Whether the hooks of the tensors at `node` run in this pass.

        Raises RuntimeError for a leaf whose gradient is to be returned, as PyTorch does.
        """
        if self.useful is not None and node not in self.useful:
            return False
        if self.useful is not None and self.capture and node.number < 0:
            raise RuntimeError(
                "A leaf node was passed to _will_engine_execute_node but we are currently running autograd.grad(). "
                "This is currently not supported."
            )
        nodes, closing = self.order
        return node in set(nodes).union(*closing.values())


class _Running(local):
    """The pass that runs in this thread, and how many it lies within."""

    task: Task | None = None
    depth = 0


running: Final = _Running()


def current() -> Task:
    """The pass that runs in this thread; AssertionError if none does."""
    if running.task is None:
        raise AssertionError("expected this hook to be called inside a backward call")
    return running.task
