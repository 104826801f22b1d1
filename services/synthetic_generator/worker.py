"""Carries out a request for synthetic data."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archon_contracts.commands import GenerateSyntheticData
from archon_contracts.values import ArtifactRef
from services.synthetic_generator.child import (
    ENTRY,
    GeneratedCounts,
    GenerationSpec,
    build_request,
)
from services.synthetic_generator.datasets import build_files
from services.synthetic_generator.domain import GenerationResult
from services.synthetic_generator.errors import GenerationTimedOut
from services.synthetic_generator.ports import ArtifactStore
from services.synthetic_generator.service import GeneratorService
from shared.postgres.database import Tx
from shared.work.child_pool import ChildPool
from shared.work.queue import Lease


@dataclass(frozen=True, slots=True)
class PublishedSamples:
    """Made items that lie in the artifact store."""

    artifact: ArtifactRef
    items: int
    rejected: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateWorker:
    """The handler of `generate` work."""

    service: GeneratorService
    artifacts: ArtifactStore
    children: ChildPool
    deadline_seconds: float

    async def run(self, lease: Lease) -> PublishedSamples:
        """Fetch the examples, generate in a child, publish its files.

        Raises:
            GenerationTimedOut: the child was ended at its deadline.
        """
        command = GenerateSyntheticData.model_validate(lease.payload)
        examples = None
        if command.examples is not None:
            examples = await self.artifacts.fetch(command.examples.artifact)
        with tempfile.TemporaryDirectory(prefix="archon-synthetic-") as output:
            spec = GenerationSpec(command=command, examples=examples, output_dir=Path(output))
            counts = GeneratedCounts.model_validate(await self._run_child(spec))
            artifact = await self.artifacts.publish(Path(output))
        return PublishedSamples(artifact, counts.items, counts.rejected)

    async def complete(self, tx: Tx, lease: Lease, result: PublishedSamples) -> None:
        """Store the answer and publish it."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        counts = (result.items, result.rejected)
        await self.service.record_result(tx, command, result.artifact, counts, lease.cause)

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """Answer with no items and the reason: whoever asked must not wait for ever."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        files = build_files(build_request(command), GenerationResult())
        artifact = await self.artifacts.publish_files(files)
        counts = (0, {str(error): command.count})
        await self.service.record_result(tx, command, artifact, counts, lease.cause)

    async def _run_child(self, spec: GenerationSpec) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.deadline_seconds):
                return await self.children.run(ENTRY, spec.model_dump(mode="json"), _ignore)
        except TimeoutError as error:
            # Permanent: the same examples would take the same time again.
            raise GenerationTimedOut(
                f"the items were not made within {self.deadline_seconds:g} s; ask for fewer, give "
                "shorter examples, or raise ARCHON_SYNTHETIC_GENERATOR_DEADLINE_SECONDS"
            ) from error


async def _ignore(_report: dict[str, Any]) -> None:
    """A generation reports nothing on its way."""
