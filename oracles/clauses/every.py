"""Importing this declares every clause: each module of this package that holds some is named here."""

from oracles.clauses import (  # noqa: F401
    accumulation,
    anomaly,
    backward,
    checking,
    complexes,
    ctx,
    edges,
    functional,
    functions,
    grad,
    hooks,
    inplace,
    kinks,
    leaves,
    modes,
    nodes,
    saved,
    threads,
)
