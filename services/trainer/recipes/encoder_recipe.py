"""The recipe that selector and classifier share: train the upper layers of a text encoder.

A kind of agent brings its model, its targets and the loss of one item.

Shape suffixes: B texts, T tokens, H hidden units, R rejected targets.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from torch import Tensor, nn
from torch.nn.functional import normalize

from archon_contracts.metric_names import (
    CUT_TEXTS,
    MAX_LENGTH,
    TOP_K,
    UNKNOWN_TARGETS,
    VALIDATION_ACCURACY,
    VALIDATION_ACCURACY_AT_5,
)
from archon_inference.classifier import Classifier
from archon_inference.encoder import TextEncoder, UpperLayers
from archon_inference.selector import Selector
from services.trainer.errors import EmptyDataset
from services.trainer.items import REPLAY, TrainingItem
from services.trainer.recipes.continual import ContinualStrategy, choose_strategy
from services.trainer.recipes.fitting import TrainResult, fit_encoder
from services.trainer.recipes.frozen_features import (
    Collator,
    FrozenFeatures,
    ItemTargets,
    weighted_mean,
)
from services.trainer.recipes.layers import low_rank_updates
from services.trainer.recipes.progress_callback import ProgressCallback, Report, Validate
from services.trainer.recipes.run import EncoderConfig, TrainingRun

MAX_SCORED: Final = 500
"""Replayed items that an interpolation is chosen by: a point of accuracy shows in as many."""


SHORTEST_LIMIT: Final = 32
"""Tokens that a model reads at least: later inputs may be longer than the first ones, and the cost
of short texts does not depend on the limit."""
COVERED_PROPORTION: Final = 0.95
"""Of the texts are read whole; a few very long ones must not slow every batch down."""


@dataclass(frozen=True, slots=True)
class TextLimit:
    """How much of a text the model reads, and how many of the training texts are longer."""

    max_length: int
    cut: float

    @property
    def metrics(self) -> dict[str, float]:
        """As published of a run."""
        return {MAX_LENGTH: float(self.max_length), CUT_TEXTS: self.cut}


def measure_limit(
    encoder: TextEncoder, texts: Sequence[str], most: int, before: int = 0
) -> TextLimit:
    """The length that nearly all the texts fit in, up to `most` and to what the model can read.

    Not below that of the version `before`, which read its own texts with it.
    """
    limit = min(most, encoder.longest)
    # With one more than can be read, a text that just fits differs from one that is cut.
    lengths = sorted(len(ids) for ids in encoder.tokenize(texts, limit + 1))
    covered = lengths[math.ceil(COVERED_PROPORTION * len(lengths)) - 1] if lengths else 0
    chosen = min(limit, max(SHORTEST_LIMIT, before, covered))
    cut = sum(length > chosen for length in lengths) / len(lengths) if lengths else 0.0
    return TextLimit(chosen, cut)


class EncoderObjective(nn.Module):
    """Loss of a batch: what the kind of agent asks for, and the continual strategy's penalty."""

    temperature = 1.0
    """Divides the penalty, so that it stands in proportion to a loss over scaled cosines."""

    def __init__(self, upper: UpperLayers, strategy: ContinualStrategy) -> None:
        super().__init__()
        self.upper = upper
        self._strategy = strategy

    def forward(
        self,
        states_BTH: Tensor,
        mask_BT: Tensor,
        labels_B: Tensor,
        weights_B: Tensor,
        rejected_BR: Tensor,
        rows_B: Tensor,
    ) -> dict[str, Tensor]:
        """Loss in nats per unit of item weight."""
        pooled_BH = self.upper(states_BTH, mask_BT)
        unit_BH = normalize(pooled_BH, dim=-1)
        losses_B = self.compute_losses(pooled_BH, unit_BH, labels_B, rejected_BR)
        losses_B += self._strategy.penalty(rows_B, unit_BH) / self.temperature
        return {"loss": weighted_mean(losses_B, weights_B)}

    def compute_losses(
        self, pooled_BH: Tensor, unit_BH: Tensor, labels_B: Tensor, rejected_BR: Tensor
    ) -> Tensor:
        """The loss of each item [B], from its pooled vector and the same of length one."""
        raise NotImplementedError


@dataclass(frozen=True)
class LearnableItems:
    """The items of a dataset whose target the model knows, and the number of those it does not."""

    train: Sequence[TrainingItem]
    validation: Sequence[TrainingItem]
    unknown_targets: int


@dataclass(frozen=True, kw_only=True)
class EncoderTask:
    """What a kind of agent brings."""

    model: Selector | Classifier
    items: LearnableItems
    limit: TextLimit
    targets: ItemTargets
    build_objective: Callable[[ContinualStrategy], EncoderObjective]


def select_learnable_items(
    train: Sequence[TrainingItem], validation: Sequence[TrainingItem], places: Mapping[str, int]
) -> LearnableItems:
    """Leave out training items whose target is no longer there: they cannot be learnt.

    Raises:
        EmptyDataset: none is left.
    """
    known = [item for item in train if item.target in places]
    if not known:
        raise EmptyDataset(
            f"None of {len(train)} items has a target that the model can answer: "
            "there is nothing to learn from"
        )
    return LearnableItems(known, validation, len(train) - len(known))


def balanced_weights(items: Sequence[TrainingItem], exponent: float) -> list[float]:
    """The weight of each item in the loss: its own, less the more its target has.

    It is divided by the target's total weight to the power of `exponent`: at 1 each target has the
    same total, at 0 nothing changes. Only ratios matter, as a batch's loss is a weighted mean.
    Source: Y. Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019,
    where values between re-weigh by inverse class frequency and not at all.
    """
    totals = defaultdict[str, float](float)
    for item in items:
        totals[item.target] += item.weight
    return [item.weight * totals[item.target] ** -exponent for item in items]


def train_encoder(
    run: TrainingRun[EncoderConfig], report: Report, task: EncoderTask
) -> TrainResult:
    """Train the task's model and save it."""
    encoder, items = task.model.encoder, task.items
    texts = [item.input for item in items.train]
    ids = encoder.tokenize(texts, task.model.card.max_length)
    features = FrozenFeatures(encoder, ids)
    strategy = choose_strategy(run)
    # Before any weight moves: a strategy may record what the starting model computes.
    strategy.before_fit(features, items.train)
    validate = build_validator(task.model, items.validation)
    progress = ProgressCallback(report, validate)
    collator = Collator(features, task.targets)
    with low_rank_updates(run, encoder.upper):
        result = fit_encoder(run, task.build_objective(strategy), collator, items.train, progress)
    changed = strategy.after_fit(build_scorer(task.model, items, validate))
    if changed:  # the figures of the run's last validation are of other weights
        result.metrics.update(validate() | changed)
    task.model.save(run.output_dir)
    result.metrics.update(task.limit.metrics)
    result.metrics[UNKNOWN_TARGETS] = float(items.unknown_targets)
    return result


def build_scorer(
    model: Selector | Classifier, items: LearnableItems, validate_new: Validate
) -> Callable[[], float]:
    """Mean of the accuracies on held-out new items and on replayed ones.

    The replayed ones were trained on, which favours the trained end of an interpolation a little;
    the gate decides on items that were not.
    """
    replayed = [item for item in items.train if item.source == REPLAY][:MAX_SCORED]
    validate_old = build_validator(model, replayed)

    def score() -> float:
        found = [validate().get(VALIDATION_ACCURACY) for validate in (validate_new, validate_old)]
        known = [value for value in found if value is not None]
        return sum(known) / len(known) if known else 0.0

    return score


def build_validator(model: Selector | Classifier, items: Sequence[TrainingItem]) -> Validate:
    """A function that scores the model as it is when called; no items, no figures."""
    ids = model.encoder.tokenize([item.input for item in items], model.card.max_length)
    # Shared by all validations: the frozen layers do not change, so they run once per text.
    states = FrozenFeatures(model.encoder, ids)

    def validate() -> dict[str, float]:
        if not items:
            return {}
        predictions = model.predict_from_states(states.compute(range(len(items))), k=TOP_K)
        pairs = list(zip(items, predictions, strict=True))
        first = sum(item.target == answer.output for item, answer in pairs)
        among = first + sum(item.target in answer.alternatives for item, answer in pairs)
        return {
            VALIDATION_ACCURACY: first / len(items),
            VALIDATION_ACCURACY_AT_5: among / len(items),
        }

    return validate
