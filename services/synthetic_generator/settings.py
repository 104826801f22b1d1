"""Settings of the synthetic generator."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr

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
    synthetic_generator_threads: int = Field(
        default=1, ge=1, le=256, description="CPU threads of the deployed version in a child."
    )
    synthetic_generator_domains: Path | None = Field(
        default=None, description="Folder with domain files, NAME.yaml; absent: built-in ones."
    )
    synthetic_generator_llm_url: str = Field(
        default="",
        description="OpenAI-compatible endpoint, such as http://127.0.0.1:8000/v1; empty: the "
        "method llm is not there.",
    )
    synthetic_generator_llm_model: str = Field(
        default="", description="Model to name to the endpoint."
    )
    synthetic_generator_llm_api_key: SecretStr = Field(
        default=SecretStr(""), description="The endpoint's key; empty: none is sent."
    )
    synthetic_generator_llm_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Longest wait for one reply [s]."
    )
    synthetic_generator_llm_retries: int = Field(
        default=2, ge=0, le=10, description="Further tries of a request without a reply."
    )
    synthetic_generator_llm_concurrency: int = Field(
        default=4, ge=1, le=64, description="Requests to the endpoint at once."
    )
