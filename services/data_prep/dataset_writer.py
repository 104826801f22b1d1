"""A dataset as files: three parts, the feedback behind them, and a card that explains them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha256
from uuid import UUID

import orjson

from archon_contracts.commands import PrepareDataset
from archon_contracts.formats import (
    DATASET_CARD_FILE,
    FEEDBACK_IDS_FILE,
    NEGATIVES_FILE,
    QUARANTINED_FILE,
    REFERENCE_FILE,
    REPLAY,
    RETRACTED_IDS_FILE,
    REWARDS_FILE,
    DatasetCard,
    SourceEntry,
    Split,
    SuiteItem,
    TrainingItem,
    split_file,
    to_jsonl,
)
from archon_contracts.identifiers import derived_id
from services.data_prep.domain import GradedItem, Item, PreparationPolicy, PreparedDataset


def derive_dataset_id(command: PrepareDataset) -> UUID:
    """The same order names the same dataset, however often it is given."""
    # Sorted keys: equal commands must have equal bytes.
    content = orjson.dumps(command.to_json(), option=orjson.OPT_SORT_KEYS)
    return derived_id("dataset", sha256(content).hexdigest())


def build_files(
    command: PrepareDataset,
    prepared: PreparedDataset,
    policy: PreparationPolicy,
    retracted: Collection[str] = (),
) -> dict[str, bytes]:
    """The files of the dataset's folder. Neither time nor job stands in them, so that equal
    content has an equal digest."""
    feedback = collect_feedback_ids(prepared)
    card = _build_card(command, prepared, policy, len(feedback))
    return {
        **{
            split_file(split): to_jsonl(map(_to_training_item, prepared.splits[split]))
            for split in Split
        },
        **({REFERENCE_FILE: to_jsonl(_to_reference(prepared))} if prepared.reference else {}),
        **({RETRACTED_IDS_FILE: _to_lines(retracted)} if retracted else {}),
        **_ungraded_file(NEGATIVES_FILE, prepared.negatives),
        **_ungraded_file(REWARDS_FILE, prepared.rewarded),
        FEEDBACK_IDS_FILE: _to_lines(feedback),
        QUARANTINED_FILE: to_jsonl(prepared.quarantined),
        DATASET_CARD_FILE: card.model_dump_json(indent=2).encode(),
    }


def _to_lines(names: Collection[str]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(names)).encode()


def collect_feedback_ids(prepared: PreparedDataset) -> list[str]:
    """The feedback that speaks for the new items, sorted, each once."""
    new = [graded.item for part in prepared.splits.values() for graded in part]
    new += (*prepared.negatives, *prepared.rewarded)
    return sorted({origin for item in new if item.source != REPLAY for origin in item.feedback_ids})


def _ungraded_file(name: str, items: Sequence[Item]) -> dict[str, bytes]:
    """The file, where there is something to write in it."""
    lines = [item.to_training_item(difficulty=1.0) for item in items]
    return {name: to_jsonl(lines)} if lines else {}


def _to_reference(prepared: PreparedDataset) -> list[SuiteItem]:
    # Ids of feedback may repeat those of the test part; the evaluation needs each once.
    return [
        SuiteItem(id=f"reference:{n}:{item.id}", input=item.input, target=item.target)
        for n, item in enumerate(prepared.reference)
    ]


def _to_training_item(graded: GradedItem) -> TrainingItem:
    return graded.item.to_training_item(difficulty=round(graded.difficulty, 6))


def _build_card(
    command: PrepareDataset, prepared: PreparedDataset, policy: PreparationPolicy, feedback: int
) -> DatasetCard:
    suite = command.evaluation_suite
    return DatasetCard(
        agent_id=command.agent_id,
        kind=command.kind,
        items=prepared.counts,
        quality=prepared.quality,
        unusable=dict(prepared.unusable),
        agreement=dict(prepared.agreement),
        feedback_ids=feedback,
        sources=tuple(
            SourceEntry(kind=source.kind, digest=source.artifact.digest, items=source.items)
            for source in command.sources
        ),
        evaluation_suite=suite.digest if suite else None,
        catalogue=command.catalogue.digest if command.catalogue else None,
        labels=command.labels,
        seed=command.seed,
        plan=command.plan,
        trust=command.trust,
        policy={
            "near_duplicate_threshold": policy.near_duplicate_threshold,
            "exact_comparison_limit": policy.exact_comparison_limit,
            "augmentation_share": policy.augmentation_share,
        },
    )
