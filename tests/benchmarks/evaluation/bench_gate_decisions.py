"""The gate on simulated retrains with real CLINC150 predictions: right decisions, worse deployed.

Three classifiers (discriminant analyses on frozen vectors, with few and with more examples) answer
all test rows; the middle one is deployed. A candidate takes the answers of the stronger one, or of
the weaker one, on just as many items as make it better or worse by a known number of points over
all rows; beside those as many items move in both directions, as in a retrain. The gate sees a
sample of the rows, so that a difference has to be significant.

A right decision passes a candidate that is 3 points better and refuses one that is equal or worse.

Windows that teach fifteen of all intents are decided on small suites without groups: the deployed
version answers these intents with the weakest model, the candidate with the strongest one. A better
candidate wins as much elsewhere as it loses, a worse one loses so much that it is worse over all
rows.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from archon_contracts.formats import PredictionRow
from archon_contracts.values import GatePolicy
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import EvaluationReport, Role
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import FrozenVectors, Row, read_domains, unit

SEED, RETRAINS, SAMPLE = 11, 200, 1_500
WEAK, MIDDLE, STRONG = 2, 5, 12
"""Training examples per intent of the three fitted models."""
TEST_PER_INTENT: int | None = None
INTENTS_PER_DOMAIN: int | None = None
BETTER = 0.03
NOT_BETTER = (0.0, -0.01, -0.02, -0.03)
MOVED = 0.01
"""Part of the items that a candidate wins and loses beside the difference."""
TAUGHT_INTENTS, WINDOW_SAMPLE, WINDOWS = 15, 300, 200
WINDOW_MOVED = 0.03
"""Of the items of other intents, in both directions: a retrain changes those too."""
LOST_TOPICS = 20
"""Of each kind of topic: intents as groups, and domains as groups."""
TINY = {
    "RETRAINS": 4,
    "SAMPLE": 30,
    "WEAK": 2,
    "MIDDLE": 3,
    "STRONG": 4,
    "TEST_PER_INTENT": 2,
    "INTENTS_PER_DOMAIN": 2,
    "LOST_TOPICS": 2,
    "TAUGHT_INTENTS": 2,
    "WINDOWS": 4,
}


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """A test row with the answers of the three models."""

    id: str
    domain: str
    intent: str
    weak: str
    deployed: str
    strong: str


def run() -> list[Figure]:
    """Right decisions over all retrains, worse ones that passed, and lost topics that passed."""
    rows, rng = answer_rows(), random.Random(SEED)
    right, worse, deployed_worse, no_better, passed_equal = 0, 0, 0, 0, 0
    for number in range(RETRAINS):
        better = number % 2 == 0
        points = BETTER if better else NOT_BETTER[number // 2 % len(NOT_BETTER)]
        passed = decide(rows, make_candidate(rows, points, rng), rng).passed
        right += passed is better
        worse += points < 0
        deployed_worse += passed and points < 0
        no_better += points == 0
        passed_equal += passed and points == 0
    windows = list(teach_windows(rows, rng))
    named = [*lose_topics(rows, "intent", rng), *lose_topics(rows, "domain", rng)]
    return [
        Figure(name="right decisions", figure=right / RETRAINS, unit="", reach=0.9),
        Figure(
            name="worse candidates deployed",
            figure=deployed_worse / max(worse, 1),
            unit="",
            reach=0.02,
            higher_is_better=False,
        ),
        Figure(name="equal candidates deployed", figure=passed_equal / max(no_better, 1), unit=""),
        Figure(
            name="lost topics refused and named",
            figure=sum(named) / len(named),
            unit="",
            reach=1.0,
        ),
        *_window_figures(windows),
    ]


@dataclass(frozen=True, slots=True)
class TaughtWindow:
    """A candidate of a window that teaches some intents, and whether the gate lets it pass."""

    points: float
    passed: bool
    passed_by_all_items: bool
    """Where the gate does not know what the window teaches."""


def _window_figures(windows: Sequence[TaughtWindow]) -> list[Figure]:
    better = [each for each in windows if each.points > 0]
    worse = [each for each in windows if each.points < 0]

    def proportion(flags: Sequence[bool]) -> float:
        return sum(flags) / max(1, len(flags))

    return [
        Figure(
            name="small suites: better windows deployed",
            figure=proportion([each.passed for each in better]),
            unit="",
        ),
        Figure(
            name="the same, taught intents unknown to the gate",
            figure=proportion([each.passed_by_all_items for each in better]),
            unit="",
        ),
        Figure(
            name="small suites: worse windows deployed",
            figure=proportion([each.passed for each in worse]),
            unit="",
            reach=0.02,
            higher_is_better=False,
        ),
        Figure(
            name="worse windows, taught intents unknown to the gate",
            figure=proportion([each.passed_by_all_items for each in worse]),
            unit="",
        ),
    ]


def teach_windows(rows: Sequence[AnsweredRow], rng: random.Random) -> Iterator[TaughtWindow]:
    """Every other one is worse over all rows by one, two or three points in the rotation."""
    intents = sorted({row.intent for row in rows})
    for number in range(WINDOWS):
        taught = set(rng.sample(intents, min(TAUGHT_INTENTS, len(intents) - 1)))
        before = [
            replace(row, deployed=row.weak if row.intent in taught else row.deployed)
            for row in rows
        ]
        answers = [row.strong if row.intent in taught else row.deployed for row in before]
        _move(before, answers, taught, rng)
        gained = sum(a == r.intent for a, r in zip(answers, before, strict=True))
        gained -= sum(row.deployed == row.intent for row in before)
        points = gained / len(rows)
        if number % 2:
            points = NOT_BETTER[1:][number // 2 % 3]
            _lose_elsewhere(before, answers, taught, gained - round(points * len(rows)), rng)
        chosen = rng.sample(range(len(rows)), min(WINDOW_SAMPLE, len(rows)))
        informed, uninformed = (
            _decide_on(before, answers, chosen, "", known).passed for known in (taught, ())
        )
        yield TaughtWindow(points, informed, uninformed)


def _move(
    rows: Sequence[AnsweredRow], answers: list[str], taught: set[str], rng: random.Random
) -> None:
    """As many rows elsewhere become right as become wrong."""
    others = [n for n, row in enumerate(rows) if row.intent not in taught]
    wins = [n for n in others if rows[n].deployed != rows[n].intent == rows[n].strong]
    losses = [n for n in others if rows[n].deployed == rows[n].intent != rows[n].weak]
    count = min(round(WINDOW_MOVED * len(others)), len(wins), len(losses))
    for place in rng.sample(wins, count):
        answers[place] = rows[place].strong
    for place in rng.sample(losses, count):
        answers[place] = rows[place].weak


def _lose_elsewhere(
    rows: Sequence[AnsweredRow],
    answers: list[str],
    taught: set[str],
    count: int,
    rng: random.Random,
) -> None:
    """Wrong answers, of the weakest model where it has some, to so many rows that were right."""
    right = [n for n, r in enumerate(rows) if r.intent not in taught and r.deployed == r.intent]
    rng.shuffle(right)
    right.sort(key=lambda n: rows[n].weak == rows[n].intent)
    for place in right[: max(0, count)]:
        row = rows[place]
        answers[place] = row.weak if row.weak != row.intent else min(taught)


def decide(
    rows: Sequence[AnsweredRow],
    candidate: Sequence[str],
    rng: random.Random,
    group: str = "domain",
    size: int | None = None,
) -> EvaluationReport:
    """The gate's decision on a sample of the rows, by the policy that agents have by default."""
    chosen = rng.sample(range(len(rows)), min(size or SAMPLE, len(rows)))
    return _decide_on(rows, candidate, chosen, group)


def _decide_on(
    rows: Sequence[AnsweredRow],
    candidate: Sequence[str],
    chosen: Sequence[int],
    group: str,
    taught: Collection[str] = (),
) -> EvaluationReport:
    predictions = {
        Role.CANDIDATE: [_predict(rows[place], candidate[place], group) for place in chosen],
        Role.DEPLOYED: [_predict(rows[place], rows[place].deployed, group) for place in chosen],
    }
    answers = sorted({row.intent for row in rows})
    return build_evaluation_report(
        predictions, Role.DEPLOYED, GatePolicy(), answers=answers, taught=taught
    )


def _predict(row: AnsweredRow, answer: str, group: str) -> PredictionRow:
    right = answer == row.intent
    return PredictionRow(
        id=row.id,
        group=str(getattr(row, group)) if group else "",
        target=row.intent,
        output=answer,
        score=0.5,
        correct=right,
        correct_at_k=right,
    )


def make_candidate(rows: Sequence[AnsweredRow], points: float, rng: random.Random) -> list[str]:
    """Real answers that are right in so much more of all rows than the deployed ones."""
    answers = [row.deployed for row in rows]
    net, moved = round(points * len(rows)), round(MOVED * len(rows))
    wins = [n for n, r in enumerate(rows) if r.deployed != r.intent == r.strong]
    losses = [n for n, r in enumerate(rows) if r.deployed == r.intent != r.weak]
    for place in rng.sample(wins, min(len(wins), moved + max(net, 0))):
        answers[place] = rows[place].strong
    for place in rng.sample(losses, min(len(losses), moved + max(-net, 0))):
        answers[place] = rows[place].weak
    return answers


def lose_topics(rows: Sequence[AnsweredRow], kind: str, rng: random.Random) -> Iterator[bool]:
    """Whether candidates that lose one topic completely, and gain overall, are refused by name.

    The gate sees all rows: 30 items an intent, 450 a domain.
    """
    topics = sorted({getattr(row, kind) for row in rows})
    for topic in rng.sample(topics, min(LOST_TOPICS, len(topics))):
        inside = [n for n, row in enumerate(rows) if getattr(row, kind) == topic]
        lost = sum(rows[n].deployed == rows[n].intent for n in inside)
        others = [row for n, row in enumerate(rows) if n not in set(inside)]
        wins = [r for r in others if r.deployed != r.intent]
        answers = [row.deployed for row in rows]
        # The stronger model's answers, and the right ones where those do not make up for the loss.
        needed = {row.id for row in wins[: lost + round(BETTER * len(rows))]}
        for n, row in enumerate(rows):
            if row.id in needed:
                answers[n] = row.intent
            elif n in set(inside):
                answers[n] = next(r.intent for r in others)
        report = decide(rows, answers, rng, kind, len(rows))
        yield not report.passed and any(repr(topic) in reason for reason in report.reasons)


@cache
def _fitted_vectors() -> FrozenVectors:
    return FrozenVectors()


def answer_rows() -> list[AnsweredRow]:
    """All test rows with the answers of the three models."""
    whole = read_domains(SEED, STRONG, test=TEST_PER_INTENT)
    domains = [each.part(each.name, each.intents[:INTENTS_PER_DOMAIN]) for each in whole]
    test = [(text, intent, d.name) for d in domains for text, intent in d.test]
    train = [row for domain in domains for row in domain.train]
    texts = [text for text, _, _ in test]
    weak, deployed, strong = (
        _answer(train, texts, examples) for examples in (WEAK, MIDDLE, STRONG)
    )
    return [
        AnsweredRow(str(n), domain, intent, weak[n], deployed[n], strong[n])
        for n, (_, intent, domain) in enumerate(test)
    ]


def _answer(train: Sequence[Row], texts: Sequence[str], examples: int) -> list[str]:
    """Answers of a discriminant analysis that was fitted to so many examples of each intent."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    taken: dict[str, int] = {}
    chosen = []
    for text, intent in train:
        taken[intent] = taken.get(intent, 0) + 1
        if taken[intent] <= examples:
            chosen.append((text, intent))
    frozen = _fitted_vectors()
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.1)
    model.fit(unit(frozen.embed([text for text, _ in chosen])), [intent for _, intent in chosen])
    return [str(each) for each in model.predict(unit(frozen.embed(texts)))]
