"""The items of a dataset folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from archon_contracts.values import Proportion
from services.trainer.recipes.errors import DatasetInvalid, EmptyDataset

REPLAY = "replay"

Text = Annotated[str, Field(min_length=1, max_length=1_000_000)]


class TrainingItem(BaseModel):
    """One thing to learn: what should have been answered to an input."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: Annotated[str, BeforeValidator(str)]
    input: Text
    target: Text
    rejected: tuple[str, ...] = Field(default=(), description="Wrong answers given before.")
    weight: float = Field(default=1.0, gt=0, le=100, description="Proportion in the loss.")
    difficulty: Proportion = 0.5
    source: str = Field(default="feedback", description="Where it comes from; see REPLAY.")
    group: str | None = None


def read_items(path: Path) -> list[TrainingItem]:
    """All items of a file, in order; none when the file is not there.

    Raises:
        DatasetInvalid: a line is not an item.
    """
    if not path.is_file():
        return []
    items = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                items.append(TrainingItem.model_validate_json(line))
            except ValidationError as error:
                fault = error.errors(include_input=False)[0]
                field = ".".join(map(str, fault["loc"])) or "line"
                raise DatasetInvalid(f"{path.name}:{number}: {field}: {fault['msg']}") from error
    return items


def read_training_items(dataset: Path) -> tuple[list[TrainingItem], list[TrainingItem]]:
    """Training and validation items of a dataset folder.

    Raises:
        EmptyDataset: there is nothing to train on.
        DatasetInvalid: a line is not an item.
    """
    train = read_items(dataset / "train.jsonl")
    if not train:
        raise EmptyDataset(f"{dataset} has no item in train.jsonl: there is nothing to learn from")
    return train, read_items(dataset / "validation.jsonl")
