"""Names of the files in artifact folders."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Split(StrEnum):
    """The parts of a dataset."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


def split_file(split: Split) -> str:
    """The file that holds one part of a dataset."""
    return f"{split}.jsonl"


ITEMS_FILE: Final = "items.jsonl"
"""Items of a source or a suite."""
TRAIN_FILE: Final = split_file(Split.TRAIN)
VALIDATION_FILE: Final = split_file(Split.VALIDATION)
TEST_FILE: Final = split_file(Split.TEST)
SUITE_FILES: Final = (ITEMS_FILE, TEST_FILE)
"""Where the items of an evaluation are: a suite's file, or else a dataset's test part."""
REFERENCE_FILE: Final = "reference.jsonl"
"""Protected reference items of a dataset's agent, asked beside its test part."""

DATASET_CARD_FILE: Final = "dataset.json"
FEEDBACK_IDS_FILE: Final = "feedback_ids.txt"
"""Ids of the feedback that a dataset is made of, one a line, sorted."""
RETRACTED_IDS_FILE: Final = "retracted_ids.txt"
"""Ids of the agent's feedback that was retracted so far: what an earlier version learnt of it must
leave. One a line, sorted; no file: none was."""
NEGATIVES_FILE: Final = "negatives.jsonl"
"""Items whose answer was rated wrong and nobody said the right one: `rejected`, and no target."""
REWARDS_FILE: Final = "rewards.jsonl"
"""Answers with what they were rewarded by, for methods that learn from rewards: each interaction by
itself, none merged with another."""
NEGATIVES: Final = "negatives"
"""What they are counted as, beside the parts of a dataset."""
QUARANTINED_FILE: Final = "quarantined.jsonl"
QUALITY_FILE: Final = "quality.json"
"""The quality report of a dataset version; absent in updates and withdrawals."""
LOG_FILE: Final = "log.jsonl"
"""An agent's interactions and feedback, for an analysis."""
REPORT_FILE: Final = "report.json"
"""Statistics on generated items."""

CHANGES_FILE: Final = "changes.json"
"""What a candidate changed against the version before it, beside the predictions it is made of."""

CATALOGUE_FILE: Final = "catalogue.json"
"""A selector's entries."""
MODEL_CARD_FILE: Final = "archon.json"
HEAD_FILE: Final = "head.safetensors"
"""The answers' rows of a classifier, or of a selector that has a head."""

MANIFEST_FILE: Final = "manifest.json"
SIGNATURE_FILE: Final = "manifest.sig"


def predictions_file(role: str) -> str:
    """The predictions of one model of an evaluation: candidate, deployed or baseline."""
    return f"{role}.jsonl"
