"""The items of a dataset folder."""

from __future__ import annotations

from pathlib import Path

from archon_contracts.formats import (
    NEGATIVES_FILE,
    REPLAY,
    REWARDS_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    LineInvalid,
    TrainingItem,
    read_jsonl,
)
from services.trainer.errors import DatasetInvalid, EmptyDataset

__all__ = [
    "REPLAY",
    "TrainingItem",
    "read_items",
    "read_negatives",
    "read_rewarded_items",
    "read_training_items",
]


def read_items(path: Path) -> list[TrainingItem]:
    """All items of a file, in order; none when the file is not there.

    Raises:
        DatasetInvalid: a line is not an item, or an item has no target.
    """
    items = _read_lines(path)
    for item in items:
        if not item.target:
            raise DatasetInvalid(f"{path.name}: item {item.id!r} has no target")
    return items


def read_negatives(dataset: Path) -> list[TrainingItem]:
    """Items of which only wrong answers are known; none when the dataset has no such file.

    Raises:
        DatasetInvalid: a line is not an item.
    """
    return _read_lines(dataset / NEGATIVES_FILE)


def read_rewarded_items(dataset: Path) -> list[TrainingItem]:
    """Answers with their rewards, each interaction by itself; none when there is no such file.

    Raises:
        DatasetInvalid: a line is not an item.
    """
    return _read_lines(dataset / REWARDS_FILE)


def read_training_items(dataset: Path) -> tuple[list[TrainingItem], list[TrainingItem]]:
    """Training and validation items of a dataset folder.

    Raises:
        EmptyDataset: there is nothing to train on.
        DatasetInvalid: see `read_items`.
    """
    train = read_items(dataset / TRAIN_FILE)
    if not train:
        raise EmptyDataset(f"{dataset} has no item in {TRAIN_FILE}: there is nothing to learn from")
    return train, read_items(dataset / VALIDATION_FILE)


def _read_lines(path: Path) -> list[TrainingItem]:
    if not path.is_file():
        return []
    try:
        return list(read_jsonl(path, TrainingItem))
    except LineInvalid as error:
        raise DatasetInvalid(str(error)) from error
