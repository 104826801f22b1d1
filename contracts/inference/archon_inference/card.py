"""The model card `archon.json`: how the files of a model folder are to be used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archon_inference.errors import ModelFolderInvalid

CARD_FILE = "archon.json"

Features = Literal["pooled", "layers"]
"""What a head reads of a text; see `TextEncoder.pool_states`."""


class ModelCard(BaseModel):
    """How the files of a model folder are to be used. Written once, when training ends."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format_version: Literal[1, 2, 3, 4] = Field(
        default=1,
        description="Raised when readers must change; 2: a classifier's `features` are not "
        "pooled; 3: a selector has a head; 4: a generator has an adapter beside its weights.",
    )
    kind: Literal["selector", "classifier", "generator"]
    base_model: str = Field(min_length=1, description="URI of the model it descends from.")
    max_length: int = Field(ge=4, le=8192, description="Tokens per input; the rest is cut.")
    pooling: Literal["mean"] = Field(default="mean", description="How an encoder sums up a text.")
    features: Features = Field(
        default="pooled",
        description="What the head reads: the pooled last layer (pooled), or the pooled highest "
        "frozen layer and the pooled last one, each of length one (layers). A selector has a head "
        "where they are layers.",
    )
    frozen_layers: int = Field(
        default=0, ge=0, description="Lowest encoder layers that are still the base model's."
    )
    temperature: float = Field(
        default=0.05, gt=0, description="Divides a selector's cosines before the softmax."
    )
    labels: tuple[str, ...] = Field(default=(), description="A classifier's labels, by index.")
    catalogue: str | None = Field(default=None, description="A selector's catalogue file.")
    catalogue_max_length: int = Field(
        default=32, ge=4, le=8192, description="Tokens per tool text when tools are embedded."
    )
    max_new_tokens: int = Field(default=64, ge=1, le=4096, description="A generator's longest.")
    stop_at_line_end: bool = Field(
        default=False, description="A generator's answers are one line: the rest is not generated."
    )
    adapters: tuple[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], ...] = Field(
        default=(),
        description="Folders of a generator's adapters (PEFT); the weights beside them are the "
        "base model's, byte for byte.",
    )


def read_card(folder: Path) -> ModelCard:
    """The card of a model folder.

    Raises:
        ModelFolderInvalid: there is no card, or this version cannot read it.
    """
    path = folder / CARD_FILE
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise ModelFolderInvalid(
            f"{folder} has no {CARD_FILE}: it is not a model folder"
        ) from error
    except ValidationError as error:
        raise ModelFolderInvalid(f"{path} is not a card this version can read: {error}") from error


def write_card(folder: Path, card: ModelCard) -> None:
    """Put the card into a model folder; the last file written, so its presence means complete."""
    (folder / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n")
