"""Settings of the synthetic generator."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `ARCHON_...` variables."""

    service: str = "synthetic_generator"
    synthetic_generator_slots: int = Field(
        default=1, ge=1, le=64, description="Requests carried out at once."
    )
    synthetic_generator_deadline_seconds: float = Field(
        default=600.0, gt=0, description="Longest generation for one request [s]."
    )
