"""What changed between two versions of a dataset, as answered."""

from __future__ import annotations

from pydantic import Field

from services.gateway.views.base import View


class ChangedItemView(View):
    """An input that both versions hold, in other parts or with other targets."""

    text: str = Field(description="The beginning of the input.")
    target_before: str
    target: str
    part_before: str = Field(description="train, validation or test.")
    part: str


class DatasetChangesView(View):
    """A version of a dataset against an earlier one; an item is known by its input."""

    agent_id: str
    dataset_version: int
    since: int = Field(description="The version that it is compared with.")
    items: int
    items_before: int
    added: int
    removed: int
    relabelled: int = Field(description="Inputs with another target than before.")
    moved: int = Field(description="Inputs that are in another part than before.")
    added_by_target: dict[str, int] = Field(description="Of the targets with most added items.")
    removed_by_target: dict[str, int]
    examples: list[ChangedItemView] = Field(description="Relabelled and moved inputs, some of all.")
