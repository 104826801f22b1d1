"""Train a classifier or selector by preferences: the better answer above the worse by a margin.

Pairs come from items whose `target` is better than their `actual` or `rejected` answers, and from
disliked answers, each against the best answer that nobody disliked. An answer that was only liked
is to lie above the best other one. The head moves as in reinforcement; the encoder stays.

The loss of a pair is the softplus of the margin less the difference of scores, that of R. Herbrich,
T. Graepel and K. Obermayer, "Large Margin Rank Boundaries for Ordinal Regression" (2000), made
smooth as in R. A. Bradley and M. E. Terry, Biometrika 39 (1952). Liked and disliked answers weigh
the same in sum, however many there are of each (class weights of K. Ethayarajh et al., "KTO", ICML
2024).

Shape suffixes: N items, F features, A answers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import softplus

from archon_contracts import metric_names as names
from archon_contracts.formats import TRAIN_FILE, VALIDATION_FILE
from services.trainer.errors import NoLearningSignal
from services.trainer.items import TrainingItem, read_items, read_negatives
from services.trainer.recipes.bandit.linear_policy import start_policy
from services.trainer.recipes.bandit.policy import HeadChange, Whitening, minimise_change
from services.trainer.recipes.bandit.recipe import FitProgress, measure_accuracy, save_policy
from services.trainer.recipes.candidates import fit_closed_form
from services.trainer.recipes.fitting import TrainResult
from services.trainer.recipes.progress_callback import Report
from services.trainer.recipes.run import EncoderConfig, TrainingRun

MARGIN: Final = 1.0
"""In nats between the scores of the two answers."""
PENALTY_ITEMS: Final = 0.2
"""As of reinforcement."""


@dataclass(frozen=True, slots=True)
class Preferences:
    """What is better than what, of items with white features and the scores before.

    `better_NA` and `worse_NA` mark answers; where no better one is stated, it is the best of those
    that are not worse, and the other way round.
    """

    white_NF: Tensor
    base_NA: Tensor
    better_NA: Tensor
    worse_NA: Tensor
    weight_N: Tensor


def train(run: TrainingRun[EncoderConfig], report: Report) -> TrainResult:
    """Learn the dataset's preferences and save the model.

    Raises:
        NoLearningSignal: no item says that one answer of the agent is better than another.
        EmptyDataset: there is no item with an answer of the agent.
        RunInvalid: the warm-start model does not fit.
    """
    started = time.perf_counter()
    # data
    items = read_items(run.dataset / TRAIN_FILE)
    negatives = read_negatives(run.dataset)
    validation_items = read_items(run.dataset / VALIDATION_FILE)
    sums = fit_closed_form(run, items, negatives)

    # model: the version before, as scores that are linear in its features
    policy = start_policy(run, sums.model)
    places = {name: place for place, name in enumerate(policy.model.answers)}
    known = [item for item in (*items, *negatives) if has_preference(item, places)]
    if not known:
        raise NoLearningSignal(
            "no learning signal: no item says which answer of the agent is better than another; "
            "send `expected`, a rating or a reward"
        )
    features_NF = policy.embed([item.input for item in known])
    whitening = Whitening.of(features_NF)
    better_NA, worse_NA = mark_answers(known, places)
    data = Preferences(
        whitening(features_NF),
        policy.scores(features_NF),
        better_NA,
        worse_NA,
        balance(better_NA, torch.tensor([item.weight for item in known])),
    )

    # method: pairwise margin
    progress = FitProgress(report)
    change = learn_preferences(data, progress)

    # report, save
    model = policy.changed(whitening.undo(change))
    save_policy(run, model, sums)
    before, after = (satisfied(data, each) for each in (None, change))
    metrics = {
        **sums.limit.metrics,
        **measure_accuracy(model, validation_items),
        names.PREFERENCES: float(len(known)),
        names.PREFERENCES_BEFORE: before,
        names.PREFERENCES_AFTER: after,
        **progress.metrics,
    }
    report({"event": "metrics", "step": progress.steps, "epoch": 1.0, "values": metrics})
    seconds = {"train": time.perf_counter() - started}
    return TrainResult(progress.steps, progress.losses[-1], metrics, seconds)


def has_preference(item: TrainingItem, places: Mapping[str, int]) -> bool:
    """Whether one of the agent's answers is better or worse by this item, and others are left."""
    worse = {answer for answer in item.rejected if answer in places}
    return item.target in places or 0 < len(worse) < len(places)


def mark_answers(items: Sequence[TrainingItem], places: Mapping[str, int]) -> tuple[Tensor, Tensor]:
    """Marks [N, A] of the better and of the worse answers."""
    better_NA = torch.zeros(len(items), len(places), dtype=torch.bool)
    worse_NA = torch.zeros_like(better_NA)
    for row, item in enumerate(items):
        if item.target in places:
            better_NA[row, places[item.target]] = True
        for answer in item.rejected:
            if answer in places and answer != item.target:
                worse_NA[row, places[answer]] = True
    return better_NA, worse_NA


def balance(better_NA: Tensor, weight_N: Tensor) -> Tensor:
    """The weights [N] at which items with a better answer and those with worse ones alone sum to
    the same; they sum to 1. Of one kind alone nothing is changed but the sum."""
    stated_N = better_NA.any(1)
    sums = torch.stack([weight_N[~stated_N].sum(), weight_N[stated_N].sum()])
    kinds = int((sums > 0).sum())
    return weight_N / sums[stated_N.long()].clamp(min=1e-12) / max(kinds, 1)


def learn_preferences(data: Preferences, watch: FitProgress) -> HeadChange:
    """The change of the head with the smallest loss."""

    def loss(change: HeadChange) -> Tensor:
        differences_N = compare(data, change.scores(data.base_NA, data.white_NF))
        return (data.weight_N * softplus(MARGIN - differences_N)).sum()

    penalty = PENALTY_ITEMS / len(data.weight_N)
    features, answers = data.white_NF.shape[1], data.base_NA.shape[1]
    return minimise_change(loss, features, answers, penalty, watch)


def compare(data: Preferences, scores_NA: Tensor) -> Tensor:
    """By how much the better answer of each item lies above the worse one [N].

    Of several worse answers the highest counts.
    """
    minus = torch.tensor(float("-inf"))
    no_better_N1 = ~data.better_NA.any(1, keepdim=True)
    no_worse_N1 = ~data.worse_NA.any(1, keepdim=True)
    better_NA = data.better_NA | (no_better_N1 & ~data.worse_NA)
    worse_NA = data.worse_NA | (no_worse_N1 & ~data.better_NA)
    best_N = torch.where(better_NA, scores_NA, minus).amax(1)
    worst_N = torch.where(worse_NA, scores_NA, minus).amax(1)
    return best_N - worst_N


def satisfied(data: Preferences, change: HeadChange | None) -> float:
    """Proportion of the items whose better answer lies above the worse one."""
    scores_NA = change.scores(data.base_NA, data.white_NF) if change else data.base_NA
    return float((compare(data, scores_NA) > 0).double().mean())
