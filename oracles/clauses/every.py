"""Importing this declares every clause: each module of this package that holds some is named here."""

from oracles.clauses import (  # noqa: F401
    accumulation,
    anomaly,
    backward,
    checking,
    complexes,
    functional,
    functions,
    hooks,
    nodes,
    saved,
    threads,
)
