"""Carries out a request for synthetic data."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archon_contracts.commands import GenerateSyntheticData, SynthesisMethod
from archon_contracts.values import ArtifactRef
from services.synthetic_generator.child import (
    ENTRY,
    GeneratedCounts,
    GenerationSpec,
    build_request,
)
from services.synthetic_generator.datasets import build_files
from services.synthetic_generator.domain import GenerationResult, GenerationSummary
from services.synthetic_generator.errors import GenerationTimedOut
from services.synthetic_generator.ports import AnswerStore, ArtifactStore, LeasedQueue
from services.synthetic_generator.service import GeneratorService
from shared.errors import ArtifactMissing, ArtifactUnsafe
from shared.postgres.database import Tx
from shared.work.child_pool import ChildPool
from shared.work.queue import Lease


@dataclass(frozen=True, slots=True)
class PublishedSamples:
    """Made items that lie in the artifact store."""

    artifact: ArtifactRef
    summary: GenerationSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateWorker:
    """The handler of `generate` work: repeatable, and resumed from its segments."""

    service: GeneratorService
    store: AnswerStore
    queue: LeasedQueue
    artifacts: ArtifactStore
    children: ChildPool
    deadline_seconds: float
    threads: int = 1
    domains: Path | None = None
    endpoint: dict[str, Any] | None = field(default=None, repr=False)
    """Fields of a `LanguageModelEndpoint`, with its key; None: there is none."""

    async def run(self, lease: Lease) -> PublishedSamples:
        """Fetch the examples, generate in a child, publish its files.

        Raises:
            GenerationTimedOut: the child was ended at its deadline.
        """
        command = GenerateSyntheticData.model_validate(lease.payload)
        with tempfile.TemporaryDirectory(prefix="archon-synthetic-") as output:
            spec = await self._build_spec(lease, command, Path(output))
            counts = GeneratedCounts.model_validate(
                await self._run_child(spec, self._record_segments(lease, command))
            )
            artifact = await self.artifacts.publish(Path(output))
        summary = GenerationSummary(
            items=counts.items,
            rejected=counts.rejected,
            shortfall=counts.shortfall,
            quality=counts.quality,
        )
        return PublishedSamples(artifact, summary)

    async def complete(self, tx: Tx, lease: Lease, result: PublishedSamples) -> None:
        """Store the answer and publish it."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        await self.service.record_result(tx, command, result.artifact, result.summary, lease.cause)

    async def give_up(self, tx: Tx, lease: Lease, error: Exception) -> None:
        """Answer with no items and the reason: whoever asked must not wait for ever."""
        command = GenerateSyntheticData.model_validate(lease.payload)
        files = build_files(build_request(command), GenerationResult())
        artifact = await self.artifacts.publish_files(files)
        summary = GenerationSummary(
            rejected={str(error): command.count},
            shortfall=f"asked for {command.count}, delivered 0: {error}",
        )
        await self.service.record_result(tx, command, artifact, summary, lease.cause)

    async def _build_spec(
        self, lease: Lease, command: GenerateSyntheticData, output: Path
    ) -> GenerationSpec:
        examples = held_out = deployed = None
        omissions: tuple[str, ...] = ()
        if command.examples is not None:
            examples = await self.artifacts.fetch(command.examples.artifact)
        if command.held_out is not None:
            held_out = await self.artifacts.fetch(command.held_out)
        if command.deployed is not None:
            try:
                deployed = await self.artifacts.fetch_model(command.deployed)
            except (ArtifactMissing, ArtifactUnsafe) as error:
                # Checks are fewer without it, and the report says so.
                omissions = (f"the deployed version was not asked: {error}",)
        async with self.queue.guarded(lease) as tx:
            segments = await self.store.find_segments(tx, command.tenant_id, command.request_id)
            endpoint = await self._build_endpoint(tx, command)
        return GenerationSpec(
            command=command,
            examples=examples,
            output_dir=output,
            deployed=deployed,
            held_out=held_out,
            domains=self.domains,
            segments=tuple(segments),
            endpoint=endpoint,
            deadline_seconds=self.deadline_seconds,
            threads=self.threads,
            omissions=omissions,
        )

    async def _build_endpoint(
        self, tx: Tx, command: GenerateSyntheticData
    ) -> dict[str, Any] | None:
        """The endpoint with what it replied before; None: there is none, or it is not asked."""
        if self.endpoint is None or SynthesisMethod.LLM not in command.methods:
            return None
        known = await self.store.find_llm_replies(tx, command.tenant_id)
        return {**self.endpoint, "replies": known}

    def _record_segments(
        self, lease: Lease, command: GenerateSyntheticData
    ) -> Callable[[dict[str, Any]], Awaitable[None]]:
        async def record(report: dict[str, Any]) -> None:
            # Raises where the lease is gone, so that a cancelled request ends at once.
            async with self.queue.guarded(lease) as tx:
                await self.service.record_progress(tx, command, report, lease.cause)

        return record

    async def _run_child(
        self, spec: GenerationSpec, on_report: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self.deadline_seconds):
                return await self.children.run(ENTRY, spec.model_dump(mode="json"), on_report)
        except TimeoutError as error:
            # Permanent: the same examples would take the same time again.
            raise GenerationTimedOut(
                f"the items were not made within {self.deadline_seconds:g} s; ask for fewer, give "
                "shorter examples, or raise ARCHON_SYNTHETIC_GENERATOR_DEADLINE_SECONDS"
            ) from error
