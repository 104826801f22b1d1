"""Let several models answer the same inputs, doing what they share once.

torch is imported here, so only child processes may import this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archon_contracts.formats import TrainingItem
from archon_inference.classifier import Classifier
from archon_inference.encoding.learnt_vectors import read_learnt_vectors, text_digest
from archon_inference.loading import load_predictor
from archon_inference.ports import Predictor
from archon_inference.prediction import Prediction
from archon_inference.selector import Selector
from services.evaluator.domain import Role
from services.evaluator.scoring.baseline import load_baseline_predictor
from services.evaluator.scoring.nearest_neighbours import answer_by_neighbours, select_known


def load_model(name: str, location: str, spec: Mapping[str, Any]) -> Predictor:
    """A model folder, or for the name `baseline` a base model's URI."""
    where = {"device": spec["device"], "precision": spec.get("precision", "float32")}
    if name != Role.BASELINE:
        return load_predictor(Path(location), threads=int(spec.get("threads", 1)), **where)
    cache = spec.get("cache_dir")
    return load_baseline_predictor(
        location, Path(spec["models"][Role.CANDIDATE]), Path(cache) if cache else None, **where
    )


class SuitePredictor:
    """Answers to fixed inputs.

    Versions of one encoder share their frozen layers, which are half of the work: what those make
    of the inputs is computed once.
    """

    def __init__(self, inputs: Sequence[str], k: int) -> None:
        self._inputs = inputs
        self._k = k
        self._states: dict[tuple[str, int, int], list[Tensor]] = {}

    def predict(self, model: Predictor) -> list[Prediction]:
        """The model's answer to each input, in order."""
        if not isinstance(model, Selector | Classifier):
            return model.predict(self._inputs, k=self._k)
        return model.predict_from_states(self._compute_states(model), k=self._k)

    def predict_by_neighbours(
        self, model: Predictor, folder: Path, items: Sequence[TrainingItem]
    ) -> list[Prediction] | None:
        """The answers of the most similar items, in the vectors of the model's encoder.

        Items whose vectors lie in the model's folder are not embedded again.
        None: the model has no encoder, or no item's target is one of its answers.
        """
        if not isinstance(model, Selector | Classifier):
            return None
        known = select_known(items, set(model.answers))
        if not known:
            return None
        vectors_NH = model.encoder.pool_states(self._compute_states(model), model.features)
        known_MH = _embed_known(model, folder, [item.input for item in known])
        return answer_by_neighbours(vectors_NH, known_MH, [each.target for each in known], self._k)

    def _compute_states(self, model: Selector | Classifier) -> list[Tensor]:
        encoder, longest = model.encoder, model.card.max_length
        # A digest of the frozen weights themselves: versions share them whatever their
        # names and parents.
        key = (encoder.lower_digest(), encoder.frozen_layers, longest)
        if key not in self._states:
            ids = encoder.tokenize(self._inputs, longest)
            self._states[key] = encoder.compute_frozen_states(ids)
        return self._states[key]


def _embed_known(model: Selector | Classifier, folder: Path, texts: Sequence[str]) -> Tensor:
    """The vectors [N, H] of the texts, on the CPU; those that the folder keeps are read from it."""
    found = read_learnt_vectors(folder, model.encoder.feature_size(model.features))
    digests = [text_digest(text) for text in texts]
    missing = {d: text for d, text in zip(digests, texts, strict=True) if d not in found}
    if missing:
        computed_NH = model.embed(list(missing.values())).cpu()
        found |= dict(zip(missing, computed_NH, strict=True))
    return torch.stack([found[digest] for digest in digests])
