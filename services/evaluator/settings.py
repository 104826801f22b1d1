"""What an operator can set for the evaluator."""

from __future__ import annotations

import os

from pydantic import Field, SecretStr

from archon_inference.devices import DEVICE_PATTERN, Precision
from shared.settings import ServiceSettings


def _half_of_the_cores() -> int:
    # As in the trainer: the machine is shared, and a thread too many costs more than one too few.
    return max(1, (os.cpu_count() or 2) // 2)


class Settings(ServiceSettings):
    """Settings of the evaluator; ARCHON_EVALUATOR_SLOTS sets `evaluator_slots`, and so on."""

    service: str = "evaluator"
    evaluator_slots: int = Field(default=1, ge=1, le=64, description="Evaluations at once.")
    evaluator_threads: int = Field(
        default_factory=_half_of_the_cores, ge=1, le=256, description="CPU threads of one child."
    )
    evaluator_device: str = Field(
        default="cpu", pattern=DEVICE_PATTERN, description="Device of the models: cpu or cuda:0."
    )
    evaluator_grader_url: str = Field(
        default="",
        description="OpenAI-compatible endpoint that grades answers of suites; empty: none does.",
    )
    evaluator_grader_model: str = Field(default="", description="Model to name to the grader.")
    evaluator_grader_api_key: SecretStr = Field(
        default=SecretStr(""), description="The grader's key; empty: none is sent."
    )
    base_model_sources: tuple[str, ...] = Field(
        default=(),
        description="Beginnings of addresses that base models may be fetched from, such as "
        "s3://models/ or hf://owner/; empty: none.",
    )
    evaluator_precision: Precision = Field(
        default="float32", description="Precision of the models: float32 or bfloat16."
    )
