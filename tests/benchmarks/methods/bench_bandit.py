"""A classifier that learns from logged ratings alone, with known propensities.

CLINC150, all intents. A version that knows one example of each intent samples its answers from the
softmax of its scores, so scaled that 60 of 100 answers are right; each answer is logged with its
propensity and what it earned, 1 or -1. Of `LOGS` such logs a policy is learnt, of `HELD_OUT` others
its value is estimated by every estimator; the truth is what it is right in, of those very inputs.
All values are proportions of right answers. The recipe without services, trust rules and gate.
"""

import math
import random
import statistics
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from services.trainer.closed_form.embedding import FEATURES
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.recipes.bandit.estimates import best_answers, report_policy
from services.trainer.recipes.bandit.estimators import Estimator, choose_estimator
from services.trainer.recipes.bandit.policy import Rewarded, Stated, Whitening, learn_policy
from tests.benchmarks.harness import Figure
from tests.benchmarks.learning.clinc import DATA_FILE as DATA_FILE
from tests.benchmarks.learning.clinc import FrozenVectors, Row, read_domains

SEEDS: tuple[int, ...] = (0, 1, 2)
DOMAINS, EXAMPLES, LOGS, HELD_OUT, TEST = 10, 50, 3500, 3500, 10
TINY = {"SEEDS": (0,), "DOMAINS": 1, "EXAMPLES": 6, "LOGS": 50, "HELD_OUT": 25, "TEST": 2}
RIGHT = 0.6
"""Proportion of right answers of the policy that answers."""


@dataclass(frozen=True, slots=True)
class BanditOutcome:
    """One seed; every value is a proportion of right answers."""

    logging: float
    policy: float
    truth: float
    estimates: dict[Estimator, float]
    chosen: Estimator


def run() -> list[Figure]:
    """Each seed with other first examples, other logs and other answers."""
    frozen = FrozenVectors(FEATURES)
    found = [_measure(frozen, seed) for seed in SEEDS]
    gains = [100 * (each.policy - each.logging) for each in found]
    errors = [100 * (each.estimates[each.chosen] - each.truth) for each in found]
    worst = max(errors, key=abs)
    rows = {
        f"estimate by {estimator} less the truth (worst {_worst(found, estimator):+.1f})": [
            100 * (each.estimates[estimator] - each.truth) for each in found
        ]
        for estimator in Estimator
    }
    return [
        Figure(
            name=f"policy less logging policy, test rows (worst {min(gains):.1f})",
            figure=statistics.fmean(gains),
            unit="points",
            reach=15.0,
        ),
        Figure(
            name=f"chosen estimate less the truth, largest of all seeds ({found[0].chosen})",
            figure=abs(worst),
            unit="points",
        ),
        Figure(
            name="logging policy, test rows",
            figure=100 * statistics.fmean(each.logging for each in found),
            unit="points",
        ),
        *(Figure(name=n, figure=statistics.fmean(of), unit="points") for n, of in rows.items()),
    ]


def _worst(found: list[BanditOutcome], estimator: Estimator) -> float:
    return max((100 * (e.estimates[estimator] - e.truth) for e in found), key=abs)


def _measure(frozen: FrozenVectors, seed: int) -> BanditOutcome:
    domains = read_domains(seed, EXAMPLES, test=TEST)[:DOMAINS]
    labels = sorted({intent for domain in domains for intent in domain.intents})
    rows = [row for domain in domains for row in domain.train]
    random.Random(seed).shuffle(rows)
    first = {intent: text for text, intent in reversed(rows)}
    asked = [(text, intent) for text, intent in rows if first[intent] != text]

    def embed(of: list[Row]) -> tuple[Tensor, Tensor]:
        places = torch.tensor([labels.index(intent) for _, intent in of])
        return torch.from_numpy(frozen.embed([text for text, _ in of])), places

    head = _first_version(frozen, first, labels)
    vectors_NF, right_N = embed(asked[: LOGS + HELD_OUT])
    with torch.no_grad():
        scores_NA = head(vectors_NF)
        scale = _find_scale(scores_NA, right_N)
    rewarded = _log(vectors_NF, scores_NA * scale, right_N, seed)
    learnt, held_out = rewarded.rows(slice_of(0, LOGS)), rewarded.rows(slice_of(LOGS, len(right_N)))
    stated = Stated(
        rewarded.white_NF[:0], rewarded.base_NA[:0], rewarded.answer_N[:0], torch.zeros(0)
    )
    estimator = choose_estimator(len(learnt))
    change = learn_policy(learnt, stated, estimator)
    report = report_policy(change, learnt, held_out, stated, estimator)
    assert report is not None, "there are held-out logs"
    test_NF, test_N = embed([row for domain in domains for row in domain.test])
    with torch.no_grad():
        test_scores_NA = head(test_NF) * scale
        white_NF = Whitening.of(vectors_NF)(test_NF)
    policy_NA = best_answers(change.scores(test_scores_NA, white_NF))
    truth_NA = best_answers(change.scores(held_out.base_NA, held_out.white_NF))
    return BanditOutcome(
        logging=_right(test_scores_NA.softmax(1), test_N),
        policy=_right(policy_NA, test_N),
        truth=_right(truth_NA, right_N[LOGS:]),
        estimates={name: (1 + e.value) / 2 for name, e in report.by_estimator.items()},
        chosen=report.chosen,
    )


def slice_of(start: int, end: int) -> Tensor:
    """Rows from `start` to before `end`."""
    return torch.arange(start, end)


def _first_version(frozen: FrozenVectors, first: dict[str, str], labels: list[str]) -> nn.Linear:
    vectors = torch.from_numpy(frozen.embed([first[label] for label in labels]))
    items = [
        LearntItem(label, label, 1.0, vector) for label, vector in zip(labels, vectors, strict=True)
    ]
    return fit_head(ClosedFormState.empty(vectors.shape[1]).learn(items), labels)


def _find_scale(scores_NA: Tensor, right_N: Tensor) -> float:
    """The factor of the scores at which sampled answers are right so often."""
    low, high = 0.01, 100.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (
            (middle, high)
            if _right((scores_NA * middle).softmax(1), right_N) < RIGHT
            else (low, middle)
        )
    return low


def _log(vectors_NF: Tensor, base_NA: Tensor, right_N: Tensor, seed: int) -> Rewarded:
    """What the version samples as answers, and earns."""
    policy_NA = base_NA.softmax(1)
    generator = torch.Generator().manual_seed(seed)
    answer_N = torch.multinomial(policy_NA, 1, generator=generator)[:, 0]
    return Rewarded(
        white_NF=Whitening.of(vectors_NF)(vectors_NF),
        base_NA=base_NA,
        answer_N=answer_N,
        reward_N=(answer_N == right_N).double() * 2 - 1,
        propensity_N=policy_NA.gather(1, answer_N[:, None])[:, 0].double(),
    )


def _right(policy_NA: Tensor, right_N: Tensor) -> float:
    """Probability of a right answer."""
    return float(policy_NA.gather(1, right_N[:, None]).mean())
