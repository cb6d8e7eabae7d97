"""What a run writes: a stream of JSON lines, from a header through cases and findings to a footer.

Every page, table and exit code is a function of these records. `FORMAT` grows when a reader of the older form could
misread the newer one; a reader refuses a stream of a newer format and says so. A reader from before `Known` skips those
lines with a notice and shows every known fault as a finding: louder than it need be, and nothing false. One from before
`Accuracy`, `Convention` or `ClauseOutcome` skips those with a notice too, and has no table or chapter of them.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from oracles.arrays import Array
from oracles.histories.action import History
from oracles.program import Case

FORMAT = 1

Outcome = Literal["agrees", "differs", "convention", "cannot tell", "uninformative", "unsupported", "errored"]
"""What one oracle says of one case.

agrees         within the budget
differs        outside the budget and outside every allowed branch: a fault
convention     at a kink, inside the allowed set but not the contract's choice: shown, not a fault
cannot tell    the oracle has no answer here, and says why
uninformative  the derived budget is as large as the answer, so agreement would mean nothing
unsupported    the subject, or the oracle, lacks the op
errored        the subject raised, died, hung, or answered with something that is not an array
"""


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """One oracle's answer on one case. `ratio` is the worst error / budget, as exact decimal text, where it has one."""

    oracle: str
    outcome: Outcome
    reason: str = ""
    ratio: str = ""
    ulps: str = ""


class Header(msgspec.Struct, frozen=True, tag_field="record", tag="header"):
    """The first line: what was judged, by what, and how to do it again.

    `unsupported` are those of `ops` that the subject lacks altogether, with its reason; no case is drawn for them.
    `faces` are those that each of the others has.
    """

    subject: str
    versions: dict[str, str]
    command: str
    seed: int
    started: str
    oracles: tuple[str, ...]
    ops: tuple[str, ...]
    dtypes: tuple[str, ...]
    unsupported: dict[str, str] = {}
    faces: dict[str, tuple[str, ...]] = {}
    subject_file: str = ""
    format: int = FORMAT


class Judged(msgspec.Struct, frozen=True, tag_field="record", tag="case", omit_defaults=True):
    """One case and every verdict on it.

    `elements` counts the gradient elements that were compared, and `finding` names the finding that an accusation
    belongs to.
    """

    id: str
    ops: tuple[str, ...]
    dtype: str
    order: Literal[1, 2]
    elements: int
    verdicts: tuple[Verdict, ...]
    faces: tuple[str, ...] = ()
    finding: str = ""


class Comparison(msgspec.Struct, frozen=True, omit_defaults=True):
    """One array of an answer beside the truth, element by element in row-major order.

    `argument` says which array: "output 0", "gradient of a", "second-order gradient of a", "gradient of the
    cotangent". `expected` are decimals of the enclosure's midpoint and `radius` of its half-width; `budget` is the
    allowed error; `error_ulps` and `error_budgets` measure the distance from the enclosure. All are decimal text.
    `others` holds what other judges answered for the same array.
    """

    argument: str
    shape: tuple[int, ...]
    got: Array | None
    expected: tuple[str, ...] = ()
    radius: tuple[str, ...] = ()
    budget: tuple[str, ...] = ()
    error_ulps: tuple[str, ...] = ()
    error_budgets: tuple[str, ...] = ()
    worst: int = 0
    others: dict[str, Array] = {}


class Plot(msgspec.Struct, frozen=True):
    """Error against one varied input element: `x` its values, `error` in ulps and `budget` in ulps at each, as text."""

    argument: str
    element: int
    x: tuple[str, ...]
    error: tuple[str, ...]
    budget: tuple[str, ...]


class Share(msgspec.Struct, frozen=True):
    """A part of the budget of a finding's worst element: what one step's rounding brings in.

    `step` is the step's number, -1 where the gradients of several uses of an input are added. `phase` is 0 for the
    step's value, 1 for its gradient, 2 for its gradient's gradient. `part` is a fraction of the whole, in decimals.
    """

    step: int
    phase: int
    part: str


class Finding(msgspec.Struct, frozen=True, tag_field="record", tag="finding"):
    """One distinct fault, shrunk, with all that a stranger needs to see it.

    A *kind* is (subject, `blame`, `argument`, `error`): `blame` is the op whose local vector-Jacobian product is
    wrong, or "walk" when every step is right alone and their composition is not; `argument` is that op's argument;
    `error` is the class of the fault ("wrong value", "nan", "wrong shape", "wrong dtype", "raises TypeError",
    "died", "hung", "not repeatable" ...). `step` is the number of the blamed step in the shrunk program, -1 for the
    walk.
    `program` is the case as the subject's own code; `script` reproduces it with the subject and NumPy alone.
    `known` says that the subject's list of known failures has it: the `Known` record of the same id says why.
    `shares` says which steps bring in the most of the worst element's budget, the largest first.
    """

    id: str
    subject: str
    blame: str
    argument: str
    error: str
    message: str
    case: Case
    step: int
    program: str
    script: str
    command: str
    verdicts: tuple[Verdict, ...]
    comparisons: tuple[Comparison, ...] = ()
    plot: Plot | None = None
    traceback: str = ""
    captured: str = ""
    shrunk: bool = True
    seen: int = 1
    known: bool = False
    shares: tuple[Share, ...] = ()


Status = Literal["fails as listed", "healed", "changed", "not reached"]
"""What became of an entry of the list of known failures, judged again from its case.

fails as listed  the fault is there, of the listed kind: known, and no reason to fail the run
healed           the case passes now: the entry is to be taken off the list
changed          the case shows a fault of another kind now, or only another case still shows the listed one
not reached      the subject lacks the op, or nothing can be said of the case any more
"""


class Known(msgspec.Struct, frozen=True, tag_field="record", tag="known", omit_defaults=True):
    """One entry of the subject's list of known failures, and what became of it.

    `id` is that of a finding of this kind. `message` says what was seen, and `now` is the id of the finding that the
    entry has changed into. An entry may be written again once the search has ended: the last one counts.
    """

    id: str
    blame: str
    argument: str
    error: str
    status: Status
    reason: str
    link: str = ""
    since: str = ""
    message: str = ""
    now: str = ""


class Farthest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The element of an answer that is farthest from the truth, with the case that shows it.

    `argument` is the array and `element` the place in it, row-major. `budgets` and `ulps` measure its error, as decimal
    text; `ulps` is empty where the true value is 0, which has no last place.
    """

    id: str
    case: Case
    argument: str
    element: int
    expected: str
    got: str
    budgets: str
    ulps: str = ""


class Accuracy(msgspec.Struct, frozen=True, tag_field="record", tag="accuracy", omit_defaults=True):
    """The worst errors that were found in the gradients of one op alone, at one dtype and order: a lower bound.

    `worst` is the error of most budgets and `ulps` that of most ulps; `cases` had an error to compare.
    """

    op: str
    dtype: str
    order: Literal[1, 2]
    cases: int
    worst: Farthest
    ulps: Farthest | None = None


Holding = Literal["holds", "violated", "unsupported", "errored", "withdrawn"]
"""What becomes of a clause of the contract on a subject.

holds        every claim of its body is true
violated     one is not: what was expected, and what there was
unsupported  the subject lacks what the clause is about
errored      the subject raised what nobody asked for, died or hung
withdrawn    the clause is asked of nobody, and says why
"""

ClauseStatus = Literal["not listed", "as listed", "healed", "changed"]
"""How an outcome stands to the subject's list of clauses that it does not hold.

not listed  the list does not have the clause
as listed   the outcome is the listed one: known, and no reason to fail the run
healed      the clause is listed and holds: the entry is to be taken off the list
changed     it does not hold in the way that is listed
"""


class ClauseOutcome(msgspec.Struct, frozen=True, tag_field="record", tag="clause", omit_defaults=True):
    """One clause and what became of it.

    `lines` are the few that were run and `script` shows the same with the subject alone. `why` is the reason on the
    subject's list, and `design` says that the subject means to differ here.
    """

    id: str
    topic: str
    sentence: str
    page: str
    outcome: Holding
    expected: str = ""
    got: str = ""
    reason: str = ""
    lines: str = ""
    script: str = ""
    status: ClauseStatus = "not listed"
    why: str = ""
    design: bool = False

    @property
    def new(self) -> bool:
        """Whether it does not hold and nobody has listed that: a reason to fail the run."""
        return self.outcome in ("violated", "errored") and self.status == "not listed"

    @property
    def stale(self) -> bool:
        """Whether the list is wrong about it: a reason to fail the run too."""
        return self.status in ("healed", "changed")


class HistoryFinding(msgspec.Struct, frozen=True, tag_field="record", tag="history", omit_defaults=True):
    """A history after which PyTorch and the subject are not the same, shrunk.

    `kind` is what the last step did and what then differed first; `found` are all differences, as sentences. `lines` is
    the history as code and `script` the same as a program for both libraries. `why` and `design` are the list's.
    """

    id: str
    subject: str
    kind: str
    found: tuple[str, ...]
    lines: str
    script: str
    history: History
    known: bool = False
    why: str = ""
    design: bool = False


class Convention(msgspec.Struct, frozen=True, tag_field="record", tag="convention", omit_defaults=True):
    """What a subject chooses where there is no one derivative: at a kink, a tie, or the end of a domain.

    `at` is the point in words, and `case` shows it. `got` are the gradients of all inputs, one after the other, as
    decimal text, and `name` what that choice is called; `expected` and `mark` are the same of PyTorch's choice.
    `outcome` is the `exact` oracle's: anything but "differs" is no fault.
    """

    op: str
    at: str
    case: Case
    name: str
    got: tuple[str, ...]
    mark: str
    expected: tuple[str, ...]
    outcome: Outcome
    reason: str = ""


class Failure(msgspec.Struct, frozen=True, tag_field="record", tag="failure"):
    """Something that kept a part of the run from being judged: where, and what to do."""

    where: str
    message: str


class Footer(msgspec.Struct, frozen=True, tag_field="record", tag="footer"):
    """The last line. A stream without one was cut off; what stands before it still counts.

    Of the `findings`, `known` are on the subject's list of known failures. `stale` entries of that list do not fail as
    listed, and `left_out` ones were not judged, because their ops were not asked for. So many `clauses` were asked, of
    which `violated` do not hold and are not listed; so many `steps` of histories were compared.
    """

    cases: int
    judged: int
    findings: int
    seconds: float
    interrupted: bool = False
    known: int = 0
    stale: int = 0
    left_out: int = 0
    clauses: int = 0
    violated: int = 0
    steps: int = 0


Record = (
    Header
    | Judged
    | Known
    | Finding
    | Convention
    | Accuracy
    | ClauseOutcome
    | HistoryFinding
    | Failure
    | Footer
)
