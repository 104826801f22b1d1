"""Settings of the curriculum service."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from archon_contracts.rules.numbers import Proportion
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `ARCHON_...` variables."""

    service: str = "curriculum"
    curriculum_mastery: tuple[Proportion, Proportion, Proportion] = Field(
        default=(0.7, 0.8, 0.9), description="Success rates that master levels 1, 2 and 3."
    )
    curriculum_gap: float = Field(
        default=0.2, gt=0, lt=1, description="How far below its mastery a level is lost again."
    )
    curriculum_memory: float = Field(
        default=500.0, ge=10, description="Rated answers that count at most."
    )

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if list(self.curriculum_mastery) != sorted(self.curriculum_mastery):
            raise ValueError("curriculum_mastery must rise from level to level")
        return self
