"""A version made again from its lineage (data, settings, seed, parent), and the digests compared.

What the run reads is in the artifact store: the dataset with its card, and the version it goes on
from. The trainer's own entry runs it, in this process. Equal digests need the same libraries and
number of threads; what differs is named beside the result.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archon_contracts.formats import CATALOGUE_FILE, DATASET_CARD_FILE, MANIFEST_FILE, DatasetCard
from archon_contracts.formats.manifest import (
    Manifest,
    build_manifest,
    describe_file,
    dump_manifest,
    list_files,
    parse_manifest,
)
from archon_contracts.metric_names import SEARCHED
from archon_contracts.values import ArtifactRef, RetentionStrategy, TrainingMethod
from deploy.exports.errors import ExchangeError
from shared.artifacts.store import ArtifactStore

Run = Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What a version made again is like."""

    expected: str
    digest: str
    seconds: float
    different_files: tuple[str, ...] = ()
    different_libraries: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name -> version then, version now."""

    @property
    def is_identical(self) -> bool:
        """Every byte is the same."""
        return self.digest == self.expected


async def reproduce(
    model: Mapping[str, Any],
    parent: ArtifactRef | None,
    artifacts: ArtifactStore,
    *,
    threads: int,
    train: Run,
    update: Run,
) -> Reproduction:
    """Make a version again; `train` and `update` are the trainer's entries.

    Raises:
        ExchangeError: its lineage lacks what a training needs.
        ArtifactMissing, ArtifactCorrupt: the dataset or the parent is not in the store.
    """
    origin = model["lineage"]
    facts, dataset_ref = origin.get("facts") or {}, origin.get("dataset")
    if not facts.get("base_model") or dataset_ref is None:
        raise ExchangeError(
            f"the lineage of {model['version']} names no dataset or base model: it was imported, "
            "or registered by an older release"
        )
    expected = await artifacts.fetch_model(ArtifactRef(uri=model["uri"], digest=model["digest"]))
    dataset = await artifacts.fetch(ArtifactRef.model_validate(dataset_ref))
    warm_start = await artifacts.fetch_model(parent) if parent else None
    with tempfile.TemporaryDirectory(prefix="archon-reproduce-") as temporary:
        root = Path(temporary)
        is_update = bool(facts.get("fast_path")) and warm_start is not None
        spec = build_spec(model, read_card(dataset), dataset, warm_start, root, threads)
        if facts.get("source_digest"):
            # The store finds an artifact by its digest; the address is for messages alone.
            source = ArtifactRef(uri=model["uri"], digest=facts["source_digest"])
            spec["source_model"] = str(await artifacts.fetch_model(source))
        spec["catalogue"] = await _catalogue(read_card(dataset), dataset_ref["uri"], artifacts)
        if is_update and parent is not None:
            spec |= {"warm_start": str(warm_start), "digest": parent.digest}
            spec["withdrawal"] = bool(facts.get("withdrawn_items"))
        started = time.perf_counter()
        result = (update if is_update else train)(spec, lambda _: None)
        base = warm_start if is_update else None
        found = _closest(result, base, model["digest"])
        return Reproduction(
            expected=model["digest"],
            digest=found[0],
            seconds=time.perf_counter() - started,
            different_files=_differences(expected, found[1]),
            different_libraries=_compare_libraries(
                facts.get("library_versions") or {}, result["library_versions"]
            ),
        )


def build_spec(
    model: Mapping[str, Any],
    card: DatasetCard,
    dataset: Path,
    warm_start: Path | None,
    root: Path,
    threads: int,
) -> dict[str, Any]:
    """The run as the trainer's child takes it."""
    facts = model["lineage"]["facts"]
    retention = RetentionStrategy(facts.get("retention") or RetentionStrategy.STANDARD)
    rehearses = retention is RetentionStrategy.REHEARSAL
    return {
        "job_id": str(model["lineage"].get("job_id") or ""),
        "attempt": facts.get("attempt") or 1,
        "kind": card.kind.value,
        # As the coordinator does: a rehearsal starts from the base model, like a first training.
        "method": TrainingMethod.SUPERVISED.value if rehearses else facts["method"],
        "base_model": facts["base_model"],
        "warm_start_model": str(warm_start) if warm_start else None,
        "dataset": str(dataset),
        "labels": list(card.labels),
        "output_dir": str(root / "model"),
        "checkpoint_dir": str(root / "checkpoints"),
        "seed": facts.get("seed") or 0,
        "threads": threads,
        "device": "cpu",
        "precision": "float32",
        "retention": retention.value,
        "plan": card.plan.model_dump(mode="json"),
        "config": _settled_config(facts),
    }


def _settled_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The run's settings with what its search chose: another search may find others."""
    config = dict(facts.get("config") or {})
    metrics = facts.get("training_metrics") or {}
    chosen = {
        name.removeprefix(SEARCHED): value
        for name, value in metrics.items()
        if name.startswith(SEARCHED)
    }
    if not chosen:
        return config
    for name in ("search_seconds", "search_trials"):
        config.pop(name, None)
    if "minimum_steps" in chosen:
        chosen["minimum_steps"] = int(chosen["minimum_steps"])
    return config | chosen


def read_card(dataset: Path) -> DatasetCard:
    """The card of a dataset's folder.

    Raises:
        ExchangeError: there is none that can be read.
    """
    try:
        return DatasetCard.model_validate_json((dataset / DATASET_CARD_FILE).read_bytes())
    except (FileNotFoundError, ValidationError) as error:
        raise ExchangeError(f"{dataset} has no readable {DATASET_CARD_FILE}") from error


async def _catalogue(card: DatasetCard, uri: str, artifacts: ArtifactStore) -> str | None:
    """A selector's entries at the time, which the dataset's card names."""
    if card.catalogue is None:
        return None
    # The store finds an artifact by its digest; the address is for messages alone.
    ref = ArtifactRef(uri=uri, digest=card.catalogue)
    return str(await artifacts.fetch(ref) / CATALOGUE_FILE)


def _closest(result: Mapping[str, Any], base: Path | None, expected: str) -> tuple[str, Manifest]:
    """Digest and entries of the model; its closed form's where that is the version."""
    folders = [Path(result["model_dir"])]
    if result.get("closed_form"):
        folders.append(Path(result["closed_form"]["model_dir"]))
    made = [_describe(folder, base) for folder in folders]
    return next((each for each in made if each[0] == expected), made[0])


def _describe(folder: Path, base: Path | None) -> tuple[str, Manifest]:
    """As the artifact store publishes it; an update over the files of its parent."""
    if base is None:
        content = build_manifest(list_files(folder))
    else:
        own = {name: describe_file(path) for name, path in list_files(folder).items()}
        content = dump_manifest(parse_manifest((base / MANIFEST_FILE).read_bytes()) | own)
    return hashlib.sha256(content).hexdigest(), json.loads(content)


def _differences(expected: Path, found: Manifest) -> tuple[str, ...]:
    before = parse_manifest((expected / MANIFEST_FILE).read_bytes())
    names = {*before, *found}
    return tuple(sorted(name for name in names if before.get(name) != found.get(name)))


def _compare_libraries(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    return {
        name: (str(before.get(name, "-")), str(now.get(name, "-")))
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    }
