"""Accuracy on the items that a run may look at but not learn from."""

from __future__ import annotations

from collections.abc import Sequence

from archon_contracts.metric_names import TOP_K, VALIDATION_ACCURACY, VALIDATION_ACCURACY_AT_5
from archon_inference.classifier import Classifier
from archon_inference.selector import Selector
from services.trainer.recipes.frozen_features import FrozenFeatures
from services.trainer.recipes.items import TrainingItem
from services.trainer.recipes.progress_callback import Validate


def build_validator(model: Selector | Classifier, items: Sequence[TrainingItem]) -> Validate:
    """A function that scores the model as it is when called; no items, no figures."""
    ids = model.encoder.tokenize([item.input for item in items], model.card.max_length)
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
