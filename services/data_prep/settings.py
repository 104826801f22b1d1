"""Settings of data preparation."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Read from `ARCHON_...` variables."""

    service: str = "data_prep"
    data_prep_slots: int = Field(default=2, ge=1, le=64, description="Datasets prepared at once.")
    data_prep_deadline_seconds: float = Field(
        default=900.0, gt=0, description="Longest preparation of one dataset [s]."
    )
    data_prep_near_duplicate_threshold: float = Field(
        default=0.85, gt=0, le=1, description="Jaccard index of 4-grams that makes inputs alike."
    )
    data_prep_exact_comparison_limit: int = Field(
        default=20_000, ge=0, description="Items up to which every near duplicate is found."
    )
    data_prep_replay_capacity: int = Field(
        default=2_000, ge=0, le=100_000, description="Items remembered per agent."
    )
    data_prep_validation_share_with_suite: float = Field(
        default=0.1, ge=0, lt=0.5, description="Validation share where a suite does the testing."
    )
    data_prep_augmentation_share: float = Field(
        default=0.0, ge=0, le=1, description="Altered copies per training item; 0: none."
    )
    data_prep_sampling_secret: SecretStr | None = Field(
        default=None,
        description="Key of the hashes that choose test, reference and replayed items; without it "
        "whoever sends feedback can foresee them. Keep it: another one chooses other items.",
    )
