"""The reference engine, judged as any other library is."""

from oracles.subjects.torchlike import TorchLike

subject = TorchLike("refgrad", "refgrad")
