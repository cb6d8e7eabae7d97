"""Importing this declares every clause: each module of this package that holds some is named here."""

from oracles.clauses import accumulation, backward, edges, grad, inplace, kinks, leaves, modes  # noqa: F401
