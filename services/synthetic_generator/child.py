"""The generator's child process: a request and examples in, files out.

The examples are strangers' texts: a child can be ended at its deadline, a thread cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from archon_contracts.base import ValueObject
from archon_contracts.commands import GenerateSyntheticData
from archon_contracts.formats import ITEMS_FILE
from services.synthetic_generator.datasets import build_files, read_samples
from services.synthetic_generator.domain import GenerationRequest, Sample
from services.synthetic_generator.errors import UnreadableExamples
from services.synthetic_generator.generation import generate

ENTRY = "services.synthetic_generator.child:run"
FORK_SERVER_MODULES = ("services.synthetic_generator.child",)


class GenerationSpec(ValueObject):
    """All that a child needs for one request."""

    command: GenerateSyntheticData
    examples: Path | None
    output_dir: Path


class GeneratedCounts(ValueObject):
    """How many items were made, and how many candidates were turned down for which reason."""

    items: int
    rejected: dict[str, int]


def run(spec: dict[str, Any], _report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Make the items of a `GenerationSpec` and write their files into `output_dir`.

    Raises:
        UnreadableExamples: the folder of examples holds no items.
    """
    task = GenerationSpec.model_validate(spec)
    request = build_request(task.command)
    generated = generate(request, _read_examples(task.examples) if task.examples else [])
    for name, content in build_files(request, generated).items():
        (task.output_dir / name).write_bytes(content)
    counts = GeneratedCounts(items=len(generated.accepted), rejected=generated.rejected)
    return counts.model_dump(mode="json")


def build_request(command: GenerateSyntheticData) -> GenerationRequest:
    """What the command asks for."""
    return GenerationRequest(
        scenario_type=command.scenario_type,
        count=command.count,
        difficulty=command.difficulty,
        edge_cases=command.edge_cases,
        diversity=command.diversity,
        seed=command.seed,
    )


def _read_examples(folder: Path) -> list[Sample]:
    path = folder / ITEMS_FILE
    if not path.is_file():
        raise UnreadableExamples(f"artifact {folder.name[:12]} holds no {ITEMS_FILE}")
    with path.open("rb") as lines:
        return read_samples(lines)
