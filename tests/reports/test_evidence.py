"""What a finding shows: its claim, its numbers, and who agrees with whom."""

import pytest

from oracles.records import Share
from reports.evidence import (
    ELEMENTS_SHOWN,
    as_text,
    blamed_step,
    given,
    nested,
    sources,
    table,
    title,
    witnesses,
)
from reports.plot import drawing


@pytest.mark.parametrize(
    ("label", "sentence"),
    [
        ("std-x-7f3a", "Gradient of `x` in `std` is wrong: expected `0.70710678118654752`, got `0.5`"),
        ("prod-x-44d0", "Gradient of `x` in `prod` is wrong: expected `0`, got `nan`"),
        (
            "walk-a-e100",
            "Second-order gradient of `a` through the whole program is wrong: expected `0.5`, got `0.0`",
        ),
        (
            "softmax-x-01ab",
            "Gradient of `x` in `softmax` has the wrong dtype: expected `float32`, got `float64`",
        ),
        ("cat-tensors-9c2e", "Gradient of `tensors[1]` in `cat` cannot be had: the subject raises TypeError"),
    ],
)
def test_titles(build, label, sentence):
    """The title of each class of finding is a sentence with the argument, the op, and both numbers."""
    found = {f.id: f for f in build.findings()}
    assert as_text(title(found[label])) == sentence


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"error": "died", "comparisons": ()}, "Gradient of `x` in `std` cannot be had: the subject died"),
        ({"error": "not repeatable", "comparisons": ()}, "Gradient of `x` in `std` is wrong: not repeatable"),
        ({"argument": "output 0", "comparisons": ()}, "Output 0 in `std` is wrong: wrong value"),
        (
            {"error": "wrong shape", "shape": (2, 1)},
            "Gradient of `x` in `std` has the wrong shape: expected `(2, 1)`, got `(2,)`",
        ),
        ({"got": None}, "Gradient of `x` in `std` is wrong: expected `0.70710678118654752`, got `nothing`"),
    ],
)
def test_titles_of_rarer_faults(build, changes, sentence):
    """Deaths, shapes, outputs and missing answers read as sentences too."""
    for field in ("shape", "got"):
        if field in changes:
            comparison = build.finding().comparisons[0]
            changed = {name: getattr(comparison, name) for name in comparison.__struct_fields__}
            changes = {**changes, "comparisons": (build.Comparison(**changed | {field: changes[field]}),)}
            del changes[field]
    assert as_text(title(build.finding(**changes))) == sentence


def test_a_table_marks_the_worst_element(build):
    """Each element stands beside the truth and the other judges; only an error beyond its budget is wrong."""
    elements = table(build.finding().comparisons[0]).elements
    assert [(e.index, e.got, e.budgets, e.worst, e.wrong) for e in elements] == [
        ("[0]", "0.5", "4.93e5", True, True),
        ("[1]", "-0.70710677", "0.018", False, False),
    ]
    assert elements[0].others == ("0.70710677", "0.7071")


def test_a_large_table_shows_the_worst_elements(build):
    """Of 1,000 elements the worst are shown in their order, and the others counted."""
    budgets = tuple(str(i * 7919 % 1000) for i in range(1000))
    shown = table(build.Comparison("gradient of x", (10, 100), None, error_budgets=budgets, worst=321))
    assert len(shown.elements) in (ELEMENTS_SHOWN, ELEMENTS_SHOWN + 1)
    assert shown.left_out == 1000 - len(shown.elements)
    assert {"999", "998"} <= {e.budgets for e in shown.elements}
    assert "[3, 21]" in {e.index for e in shown.elements}


def test_witnesses_are_held_to_the_truth(build):
    """PyTorch within the budget agrees with the truth, a poor estimate differs, laws have no number."""
    stand = {w.name: (w.says, w.stands, w.outcome) for w in witnesses(build.finding())}
    assert stand == {
        "exact": ("0.70710678118654752", "is the enclosed truth", "differs"),
        "pytorch": ("0.70710677", "agrees with the truth", "differs"),
        "differences": ("0.7071", "differs from the truth", "differs"),
        "laws": ("", "", "agrees"),
    }


def test_everything_the_case_hands_over_is_given(build):
    """A second-order case lists inputs, cotangent and weights, each under its name."""
    walk = next(f for f in build.findings() if f.blame == "walk")
    assert [(g.role, g.name, g.values) for g in given(walk.case)] == [
        ("input", "a", "[2.0, 3.0]"),
        ("input", "b", "[5.0, 7.0]"),
        ("cotangent of", "t3", "[1.0, 1.0]"),
        ("weight of the gradient of", "a", "[1.0, 1.0]"),
        ("weight of the gradient of", "b", "[1.0, 1.0]"),
    ]


def test_arrays_nest_as_they_are_shaped(build):
    """Arrays print as nested lists of short decimals, empty and contradictory ones as their own text."""
    assert nested(build.array([[0.1, 2], [3, 4]], "float32")) == "[[0.1, 2.0], [3.0, 4.0]]"
    assert nested(build.array(1.5, "bfloat16")) == "1.5"
    assert nested(build.array([])) == "[]"
    assert nested(build.Array("float32", (3,), "no base64!", "[?]")) == "[?]"


def test_the_blamed_step_prints_as_code(build):
    """The step to blame prints with names, settings and index; the walk has none."""
    walk = next(f for f in build.findings() if f.blame == "walk")
    steps = [blamed_step(build.finding(case=walk.case, step=n)) for n in range(-1, 5)]
    assert steps == [
        "",
        "t0 = mul(a, b)",
        "t1 = t0[0:1]",
        "t2 = add(t1, a, alpha=2)",
        "t3 = mul(t2, 0.5)",
        "",
    ]


def test_every_index_prints_as_python(build):
    """Integers, slices, new axes, dots and picked tensors print as they are written in Python."""
    from oracles.program import Dots, Int, NewAxis, Pick

    index = (Int(-1), build.Slice(None, None, 2), NewAxis(), Dots(), Pick(1))
    step = build.Step("getitem", (build.Ref(0), build.Ref(1)), index=index)
    inputs = (build.Input("x", (3, 4), "float32"), build.Input("i", (2,), "int64", False))
    case = build.Case(build.Program(inputs, (step,), (2,)), (), (), "float32")
    assert blamed_step(build.finding(case=case)) == "t0 = x[-1, ::2, None, ..., i]"


def test_a_plot_counts_what_lies_above_the_budget(build):
    """Every sample is drawn inside the frame, and those above the budget or nan are wrong."""
    plot = build.plot()
    drawn = drawing(plot)
    above = sum(e == "nan" or float(e) > float(b) for e, b in zip(plot.error, plot.budget, strict=True))
    assert drawn.wrong == above
    assert drawn.wrong + drawn.clear == len(plot.x) == len(drawn.dots)
    assert all(drawn.left <= d.x <= drawn.right and drawn.top <= d.y <= drawn.bottom for d in drawn.dots)
    assert next(d for d in drawn.dots if "error nan" in d.words).y == drawn.top


@pytest.mark.parametrize(
    ("xs", "errors", "count"),
    [
        (("1", "1"), ("0", "0"), 2),
        (("1e-300", "1", "1e299"), ("1", "1e400", "inf"), 3),
        (("-1", "0", "1"), ("1e999999", "1e-999999", "-3"), 3),
        (("nan", "1", "2", "x"), ("1", "2", "3", "4"), 2),
    ],
)
def test_odd_plots_are_drawn(build, xs, errors, count):
    """Constant, enormous and broken samples are drawn or left out, and no coordinate leaves the frame."""
    drawn = drawing(build.Plot("x", 0, xs, errors, ("1",) * len(xs)))
    assert len(drawn.dots) == count
    assert all(drawn.top <= d.y <= drawn.bottom and drawn.left <= d.x <= drawn.right for d in drawn.dots)
    assert len(drawn.up) <= 9


def test_a_plot_without_numbers_is_not_drawn(build):
    """Fewer than two samples, or no plot at all, draw nothing."""
    assert drawing(None) is None
    assert drawing(build.Plot("x", 0, ("1",), ("1",), ("1",))) is None


def test_where_a_budget_comes_from(build):
    """The steps that bring in the most, as a sentence; a run file from elsewhere may say anything."""
    shares = (Share(0, 1, "0.621"), Share(-1, 1, "0.3"), Share(0, 0, "0.004"))
    assert as_text(sources(build.finding(shares=shares))) == (
        "Of this budget 62 % from the gradient of `std`, 30 % from adding up the gradients of an input, "
        "under 1 % from the value of `std`."
    )
    odd = (Share(7, 9, "nan"), Share(0, 9, "<b>"))
    assert as_text(sources(build.finding(shares=odd))) == (
        "Of this budget some from adding up the gradients of an input, some from the second-order gradient of `std`."
    )
    assert sources(build.finding()) == ()
