"""A child process's work: a deployed version and a suite are read from their folders."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from archon_contracts.commands import SynthesisMethod
from services.gateway.functions.requests import GenerateRequest
from services.synthetic_generator import child
from services.synthetic_generator.domain import Sample
from services.synthetic_generator.generation import generate
from tests.support.data.synthetic_generator import (
    EXAMPLES,
    generate_synthetic_data,
    generation_request,
)
from tests.support.training.tiny_models import stubborn_classifier


def write_items(folder: Path, samples: list[Sample]) -> Path:
    folder.mkdir()
    lines = [orjson.dumps({"id": s.input, "input": s.input, "target": s.target}) for s in samples]
    (folder / "items.jsonl").write_bytes(b"\n".join(lines))
    return folder


def run(folder: Path, **fields: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a child returns, and its report."""
    output = folder / "output"
    output.mkdir()
    names = ("examples", "deployed", "held_out")
    given = {name: str(fields.pop(name)) if name in fields else None for name in names}
    command = generate_synthetic_data(**fields)
    spec = {"command": command.to_json(), "output_dir": str(output), **given}
    return child.run(spec, lambda _: None), orjson.loads((output / "report.json").read_bytes())


def test_the_deployed_version_reads_labels_and_is_what_edits_attack(tmp_path: Path) -> None:
    samples = [Sample(s.input, "a" if s.target == "hotel" else "b") for s in EXAMPLES]
    deployed = stubborn_classifier(tmp_path / "model")

    counts, report = run(
        tmp_path,
        examples=write_items(tmp_path / "examples", samples),
        deployed=deployed,
        scenario_type="travel",
        count=4,
        methods=(SynthesisMethod.ADVERSARIAL, SynthesisMethod.MUTATION),
    )

    assert counts["items"] == report["generated"] > 0
    assert counts["rejected"]["deployed_answer_not_changed"] > 0
    assert report["unchecked"] == []
    assert 0 < counts["quality"]["difficulty"] < 1


def test_nothing_near_the_suite_is_made(tmp_path: Path) -> None:
    asked = generation_request(scenario_type="tool-use", count=60, difficulty="easy", seed=7)
    suite = [each.sample for each in generate(asked, ()).accepted]

    counts, _ = run(
        tmp_path,
        held_out=write_items(tmp_path / "suite", suite),
        scenario_type="tool-use",
        count=40,
        difficulty="easy",
    )

    assert counts["rejected"]["near_an_evaluation_item"] > 0


@pytest.mark.parametrize("count", [0, 10_000_000])
def test_no_items_and_ten_million_are_refused_with_the_field(count: int) -> None:
    with pytest.raises(ValueError, match="count"):
        GenerateRequest(scenarioType="x", count=count)


def test_one_class_gives_items_of_one_answer() -> None:
    samples = [s for s in EXAMPLES if s.target == "hotel"]

    result = generate(generation_request(scenario_type="x", count=5, edge_cases=True), samples)

    assert {c.sample.target for c in result.accepted} == {"hotel"}
