"""A steered search climbs to errors that show near one number only, the same way every time, and never raises."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from oracles import crew
from oracles.campaign import units
from oracles.crew import bench_of
from oracles.generation.drawing import STEERED
from oracles.generation.values import holds, scaled
from oracles.judge import Bench
from oracles.search import Searched, Unit, search, shrink

from .building import drawn
from .campaigns import plan

EXAMPLES = 200
SEED = 3
ONE_OFF = '''
import numpy as np

import refgrad
from oracles.subjects.torchlike import TorchLike
from refgrad.op import REGISTRY


def mild(g, y, x):
    """exp's gradient, off by 13 ulps at 0.03 and the less the farther from it."""
    away = np.abs(np.log(np.maximum(x if isinstance(x, np.ndarray) else x.detach().numpy(), 1e-300) / 0.03))
    factor = 1 + 3e-15 * 0.05 / (0.05 + away)
    return g * y * (factor if isinstance(x, np.ndarray) else refgrad.tensor(factor))


exp = REGISTRY["exp"]
exp.rebind({**exp.formulas, "x": mild})
subject = TorchLike("mild", "refgrad")
'''


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An engine whose exp is mildly inaccurate near one number."""
    file = tmp_path_factory.mktemp("mild") / "subject.py"
    file.write_text(ONE_OFF)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crew, "has_pytorch", lambda: False)
        with bench_of(plan("mild", file, ("exp",), 10)) as both:
            yield both


def steered(bench: Bench, known: set[str] | None = None) -> Searched:
    """What the steered unit finds."""
    return search(UNIT, "mild", bench, set() if known is None else known, lambda: False)


UNIT = Unit(("exp",), STEERED, EXAMPLES, SEED, ("float64",))


def worst(found: Searched) -> float:
    """The worst error of a first-order gradient, in budgets."""
    return max((float(r.worst.budgets) for r in found.worst.records() if r.order == 1), default=0.0)


@pytest.fixture(scope="module")
def climbed(bench: Bench) -> Searched:
    """The steered search."""
    return steered(bench)


def test_it_finds_what_a_plain_search_of_as_many_cases_does_not(bench: Bench, climbed: Searched) -> None:
    """The faces, with at least as many cases, stay within the budget; the climb leaves it far behind."""
    given = plan("refgrad", None, ("exp",), EXAMPLES)
    faces = [u for u in units(replace(given, examples=EXAMPLES // 2)) if not u.steered]
    extra = Unit(("exp",), "plain", EXAMPLES // 4, SEED, ("float64",))
    plain = [search(u, "mild", bench, set(), lambda: False) for u in (*faces, extra)]
    assert sum(len(p.judged) for p in plain) >= len(climbed.judged)
    assert not any(p.accused for p in plain)
    assert max(map(worst, plain)) < 1 < 2 < worst(climbed)
    assert {(k.blame, k.argument, k.error) for k in climbed.accused} == {("exp", "x", "wrong value")}


def test_the_climb_is_higher_than_the_same_draws_without(
    bench: Bench, climbed: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Hypothesis is told makes the difference: with the target left out, the worst error is smaller."""
    monkeypatch.setattr("oracles.steering.Climb.tell", lambda self: None)
    assert worst(steered(bench)) < worst(climbed)


def test_it_is_a_function_of_its_seed(bench: Bench, climbed: Searched) -> None:
    """The same cases in the same order, whatever has been judged before."""
    again = steered(bench)
    assert again.judged == climbed.judged
    assert list(again.worst.records()) == list(climbed.worst.records())
    seen = {j.id for j in climbed.judged[::3]}
    rest = steered(bench, set(seen))
    assert [j.id for j in rest.judged] == [j.id for j in climbed.judged if j.id not in seen]


def test_what_a_climb_found_is_shrunk(bench: Bench, climbed: Searched) -> None:
    """A fault that only the climb reaches shrinks from the same draws to one element."""
    ((_, first),) = climbed.accused.items()
    best, finished = shrink(UNIT, first, bench)
    assert finished
    assert best.kind == first.kind
    assert best.case.inputs[0].numpy().size == 1


def test_a_share_of_each_op_is_steered_where_it_can_climb() -> None:
    """A quarter as many programs on top of those of each op, or none where they are too few to climb with."""
    found = units(plan("refgrad", None, ("exp", "add"), 80))
    assert [(u.ops, u.examples) for u in found if u.steered] == [(("add",), 20), (("exp",), 20)]
    assert sum(u.examples for u in found if u.ops == ("exp",) and not u.steered) == 80
    assert not any(u.steered for u in units(plan("refgrad", None, ("exp", "add"), 79)))
    timed = plan("refgrad", None, ("exp",), 100, seconds=60.0)
    climbs = [[u.examples for u in units(timed, n) if u.steered] for n in range(20)]
    assert climbs == ([[]] * 9 + [[20]]) * 2


@pytest.mark.parametrize(
    "domain",
    [(-np.inf, np.inf), (0.0, np.inf), (-1.0, 1.0), (1.0, np.inf), (-np.inf, 0.0), (-1.0, np.inf, 0.0, 2.0)],
)
def test_numbers_to_climb_on_lie_inside_their_domain(domain: Any) -> None:
    """They are short decimals, and inside an interval and off its poles."""
    found = [n for n in drawn(scaled(domain), 60) if isinstance(n, float)]
    assert len(set(found)) > 20
    assert all(holds(domain, n) for n in found)
    assert all(float(f"{n:.4g}") == n for n in found)
