"""What an operator can set for the trainer."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import Annotated

from pydantic import Field

from archon_contracts.base import Identifier
from archon_contracts.private_folder import private_temporary_folder
from archon_inference.devices import DEVICE_PATTERN, Precision
from services.trainer.resources import ResourceRates
from shared.settings import ServiceSettings


def _half_of_the_cores() -> int:
    # Each run shares its machine with the services, the database and perhaps an evaluation. One
    # thread too many costs far more than one too few: with both of two cores taken, two threads
    # were measured to be three times slower than one.
    return max(1, (os.cpu_count() or 2) // 2)


class Settings(ServiceSettings):
    """Settings of the trainer; ARCHON_TRAINER_SLOTS sets `trainer_slots`, and so on."""

    service: str = "trainer"
    trainer_slots: int = Field(default=1, ge=1, le=64, description="Runs at once.")
    trainer_threads: int = Field(
        default_factory=_half_of_the_cores, ge=1, le=256, description="CPU threads of one run."
    )
    trainer_work_dir: Path | None = Field(
        default=None,
        description="Folder for checkpoints, of one deployment alone; keep it on a disk that "
        "outlives the process. Absent: one in the temporary directory, named by the database.",
    )
    trainer_worker_id: Identifier | None = Field(
        default=None, description="Name in capacity reports; absent: host name and health port."
    )
    trainer_devices: tuple[Annotated[str, Field(pattern=DEVICE_PATTERN)], ...] = Field(
        default=("cpu",),
        min_length=1,
        description="Devices that runs may use, such as cpu or cuda:0; a run takes the least busy.",
    )
    trainer_precision: Precision = Field(
        default="float32", description="Precision of the forward pass: float32 or bfloat16."
    )
    base_model_sources: tuple[str, ...] = Field(
        default=(),
        description="Beginnings of addresses that base models may be fetched from, such as "
        "s3://models/ or hf://owner/; empty: none.",
    )
    trainer_core_hour_price: float = Field(
        default=0.0, ge=0, description="Price of a core for an hour of work, in any currency."
    )
    trainer_accelerator_hour_price: float = Field(
        default=0.0, ge=0, description="Price of an accelerator for an hour, in the same currency."
    )
    trainer_core_watts: float = Field(
        default=10.0, ge=0, description="Power of a busy core, for the estimate of energy [W]."
    )
    trainer_accelerator_watts: float = Field(
        default=350.0, ge=0, description="Power of an accelerator, for the same estimate [W]."
    )
    trainer_report_seconds: float = Field(
        default=30.0, gt=0, description="Longest time between two capacity reports [s]."
    )

    @property
    def resource_rates(self) -> ResourceRates:
        """What cost and energy of a run are estimated by."""
        return ResourceRates(
            core_hour=self.trainer_core_hour_price,
            accelerator_hour=self.trainer_accelerator_hour_price,
            core_watts=self.trainer_core_watts,
            accelerator_watts=self.trainer_accelerator_watts,
        )

    @property
    def work_dir(self) -> Path:
        """The folder for checkpoints, made where it is the default.

        Of this database alone: a trainer removes the folders of jobs that it does not know, and
        two deployments give jobs of agents of one name the same ids.
        """
        if self.trainer_work_dir is not None:
            return self.trainer_work_dir
        database = hashlib.sha256(self.database_url.get_secret_value().encode()).hexdigest()
        return private_temporary_folder("archon-trainer") / database[:16]

    @property
    def worker_id(self) -> str:
        """The same after a restart, so that a report replaces the one before it."""
        return self.trainer_worker_id or f"trainer@{socket.gethostname()}:{self.health_port}"
