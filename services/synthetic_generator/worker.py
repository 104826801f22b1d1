"""Carries out a request for synthetic data."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from archon_contracts.commands import GenerateSyntheticData
from archon_contracts.formats import ITEMS_FILE
from archon_contracts.values import ArtifactRef
from services.synthetic_generator.datasets import build_files, read_samples
from services.synthetic_generator.domain import GenerationRequest, GenerationResult, Sample
from services.synthetic_generator.errors import UnreadableExamples
from services.synthetic_generator.generation import generate
from services.synthetic_generator.ports import ArtifactStore
from services.synthetic_generator.service import GeneratorService
from shared.postgres.database import Tx
from shared.work.queue import Lease


@dataclass(frozen=True, slots=True)
class PublishedSamples:
    """Made items that lie in the artifact store."""

    artifact: ArtifactRef
    items: int
    rejected: Mapping[str, int]


class GenerateWorker:
    """The handler of `generate` work."""

    def __init__(self, service: GeneratorService, artifacts: ArtifactStore) -> None:
        self._service = service
        self._artifacts = artifacts

    async def run(self, lease: Lease) -> PublishedSamples:
        """Read the examples, generate in a thread, publish."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        folder = None
        if command.examples is not None:
            folder = await self._artifacts.fetch(command.examples.artifact)
        generated = await asyncio.to_thread(_generate, _build_request(command), folder)
        return await self._publish(command, generated)

    async def complete(self, tx: Tx, lease: Lease, result: PublishedSamples) -> None:
        """Store the answer and publish it."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        counts = (result.items, result.rejected)
        await self._service.record_result(tx, command, result.artifact, counts, lease.cause)

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """Answer with no items and the reason: whoever asked must not wait for ever."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        empty = await self._publish(command, GenerationResult())
        counts = (0, {str(error): command.count})
        await self._service.record_result(tx, command, empty.artifact, counts, lease.cause)

    async def _publish(
        self, command: GenerateSyntheticData, generated: GenerationResult
    ) -> PublishedSamples:
        files = await asyncio.to_thread(build_files, _build_request(command), generated)
        artifact = await self._artifacts.publish_files(files)
        return PublishedSamples(artifact, len(generated.accepted), generated.rejected)


def _build_request(command: GenerateSyntheticData) -> GenerationRequest:
    return GenerationRequest(
        scenario_type=command.scenario_type,
        count=command.count,
        difficulty=command.difficulty,
        edge_cases=command.edge_cases,
        diversity=command.diversity,
        seed=command.seed,
    )


def _generate(request: GenerationRequest, examples: Path | None) -> GenerationResult:
    return generate(request, _samples(examples) if examples else [])


def _samples(folder: Path) -> list[Sample]:
    path = folder / ITEMS_FILE
    if not path.is_file():
        raise UnreadableExamples(f"artifact {folder.name[:12]} holds no {ITEMS_FILE}")
    with path.open("rb") as lines:
        return read_samples(lines)
