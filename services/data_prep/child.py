"""Data preparation's child process: sources and memory in, files of a dataset out.

The texts are strangers': a child can be ended at its deadline, a thread cannot, and SciPy and
scikit-learn stay out of the service process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from archon_contracts.base import ValueObject
from archon_contracts.commands import PrepareDataset
from archon_contracts.formats import QUALITY_FILE
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import (
    Item,
    PreparationPolicy,
    PreparedSummary,
    RejectedDataset,
    SamplingSeeds,
)
from services.data_prep.pipeline import PreparationInputs, prepare, refuse_untestable
from services.data_prep.quality.limits import apply_limits, refuse_by_limits
from services.data_prep.quality.report import assess
from services.data_prep.sampling.replay_buffer import select_retained
from services.data_prep.sources.loading import (
    SourceFolders,
    read_held_out,
    read_sources,
    read_targets,
)

ENTRY = "services.data_prep.child:run"
FORK_SERVER_MODULES = ("services.data_prep.child", "services.data_prep.trust.lean_sklearn")
"""What the fork server imports, so that a child has not to."""


class PreparationSpec(ValueObject):
    """All that a child needs for one dataset."""

    command: PrepareDataset
    folders: SourceFolders
    memory: tuple[Item, ...]
    reference: tuple[Item, ...] = ()
    seeds: SamplingSeeds
    erased_feedback_ids: frozenset[str]
    policy: PreparationPolicy
    now: datetime
    """For limits on the age of items; it stands in no file."""
    output_dir: Path


_RESULT: TypeAdapter[PreparedSummary | RejectedDataset] = TypeAdapter(
    PreparedSummary | RejectedDataset
)


def run(spec: dict[str, Any], _report: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Prepare the dataset of a `PreparationSpec` and write its files into `output_dir`.

    Raises:
        UnreadableSource: a folder does not hold the file that it should.
    """
    task = PreparationSpec.model_validate(spec)
    command = task.command
    inputs = PreparationInputs(
        command=command,
        parsed_sources=read_sources(command, task.folders),
        targets=read_targets(command, task.folders.catalogue),
        held_out=read_held_out(task.folders.suite, redacted=command.data.redact_personal_data),
        memory=task.memory,
        reference=task.reference,
        seeds=task.seeds,
        erased_feedback_ids=task.erased_feedback_ids,
    )
    result = prepare(inputs, task.policy)
    if isinstance(result, RejectedDataset):
        return _dump(result)
    if (refused := refuse_untestable(inputs, task.policy, result)) is not None:
        return _dump(refused)
    files: dict[str, bytes] = {}
    # An update is a handful of corrections for which somebody waits, and a withdrawal adds nothing.
    if not (command.fast_path or command.withdrawal):
        assessed = assess(command, result, task.memory)
        quality = apply_limits(assessed.quality, command.data)
        if (refused := refuse_by_limits(quality, command.data, task.now)) is not None:
            return _dump(refused)
        result = assessed.prepared
        files[QUALITY_FILE] = quality.model_dump_json(indent=2).encode()
    files |= build_files(command, result, task.policy, task.erased_feedback_ids)
    _write(task.output_dir, files)
    # More than the replay buffer holds would be thrown away by the service.
    remembered = select_retained(result.learned, task.policy.replay_capacity, task.seeds.agent)
    candidates = result.reference_candidates
    return _dump(PreparedSummary(result.counts, result.quality, tuple(remembered), candidates))


def parse_result(result: Mapping[str, Any]) -> PreparedSummary | RejectedDataset:
    """What `run` returned."""
    return _RESULT.validate_python(result)


def _dump(result: PreparedSummary | RejectedDataset) -> dict[str, Any]:
    dumped: dict[str, Any] = _RESULT.dump_python(result, mode="json")
    return dumped


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).write_bytes(content)
