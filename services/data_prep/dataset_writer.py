"""A dataset as files: three parts, the feedback behind them, and a card that explains them."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from uuid import UUID

import orjson
from pydantic import JsonValue

from archon_contracts.commands import PrepareDataset
from archon_contracts.identifiers import derived_id
from services.data_prep.domain import REPLAY, GradedItem, PreparationPolicy, PreparedDataset, Split

CARD_FILE = "dataset.json"
FEEDBACK_IDS_FILE = "feedback_ids.txt"
QUARANTINED_FILE = "quarantined.jsonl"
FORMAT_VERSION = 1


def derive_dataset_id(command: PrepareDataset) -> UUID:
    """The same order names the same dataset, however often it is given."""
    content = orjson.dumps(command.to_json(), option=orjson.OPT_SORT_KEYS)
    return derived_id("dataset", sha256(content).hexdigest())


def build_files(
    command: PrepareDataset, prepared: PreparedDataset, policy: PreparationPolicy
) -> dict[str, bytes]:
    """The files of the dataset's folder. Neither time nor job stands in them, so that equal
    content has an equal digest."""
    files = {f"{split}.jsonl": _to_jsonl(prepared.splits[split]) for split in Split}
    feedback = collect_feedback_ids(prepared)
    files[FEEDBACK_IDS_FILE] = "".join(f"{name}\n" for name in feedback).encode()
    files[QUARANTINED_FILE] = b"".join(
        orjson.dumps(quarantined, option=orjson.OPT_APPEND_NEWLINE)
        for quarantined in prepared.quarantined
    )
    files[CARD_FILE] = orjson.dumps(
        _build_card(command, prepared, policy, len(feedback)),
        option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS,
    )
    return files


def collect_feedback_ids(prepared: PreparedDataset) -> list[str]:
    """The feedback that speaks for the new items, sorted, each once."""
    new = (graded.item for part in prepared.splits.values() for graded in part)
    return sorted({origin for item in new if item.source != REPLAY for origin in item.feedback_ids})


def _to_jsonl(part: Iterable[GradedItem]) -> bytes:
    return b"".join(
        orjson.dumps(_to_line(graded), option=orjson.OPT_APPEND_NEWLINE) for graded in part
    )


def _to_line(graded: GradedItem) -> dict[str, JsonValue]:
    item = graded.item
    return {
        "id": item.id,
        "input": item.input,
        "target": item.target,
        "rejected": list(item.rejected),
        "weight": item.weight,
        "difficulty": round(graded.difficulty, 6),
        "source": item.source,
        "group": item.group,
    }


def _build_card(
    command: PrepareDataset, prepared: PreparedDataset, policy: PreparationPolicy, feedback: int
) -> dict[str, object]:
    suite = command.evaluation_suite
    return {
        "format": FORMAT_VERSION,
        "agent_id": command.agent_id,
        "kind": str(command.kind),
        "items": prepared.counts,
        "quality": prepared.quality.model_dump(),
        "unusable": prepared.unusable,
        "agreement": prepared.agreement,
        "feedback_ids": feedback,
        "sources": [
            {"kind": str(source.kind), "digest": source.artifact.digest, "items": source.items}
            for source in command.sources
        ],
        "evaluation_suite": suite.digest if suite else None,
        "catalogue": command.catalogue.digest if command.catalogue else None,
        "labels": list(command.labels),
        "seed": command.seed,
        "plan": command.plan.model_dump(),
        "trust": command.trust.model_dump(),
        "policy": {
            "near_duplicate_threshold": policy.near_duplicate_threshold,
            "exact_comparison_limit": policy.exact_comparison_limit,
            "augmentation_share": policy.augmentation_share,
        },
    }
