"""Answers about datasets.

Written by `python -m tests.reference` from the OpenAPI document; do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from archon_contracts.client.sdk.answers.base import ApiAnswer
from archon_contracts.client.sdk.answers.policies import ArtifactRefInfo


class DatasetInfo(ApiAnswer):
    """An uploaded dataset."""

    name: str
    purpose: str
    items: int
    artifact: ArtifactRefInfo
    created_at: datetime | None = None


class PreparedDatasetInfo(ApiAnswer):
    """A dataset version that data preparation produced for a job."""

    dataset_id: UUID
    agent_id: str
    job_id: UUID
    dataset_version: int
    artifact: ArtifactRefInfo
    items: dict[str, int]
    quality: dict[str, Any]
    prepared_at: datetime


class DatasetPageInfo(ApiAnswer):
    """A part of both lists of datasets; the cursor leads on in both."""

    items: list[DatasetInfo]
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; absent: this is the last."
    )
    prepared: list[PreparedDatasetInfo]
