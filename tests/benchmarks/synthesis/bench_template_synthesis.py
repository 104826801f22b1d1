"""Rows per second of templates, beside NeMo Data Designer without language models.

Both make labelled sentences of the built-in domain customer-support: ours with all checks, the
report and the files. Data Designer is measured where `ARCHON_DATA_DESIGNER_PYTHON` names the
interpreter of an environment with `tests/benchmarks/synthesis/requirements.txt`; its start and
imports do not count.
"""

import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from services.synthetic_generator.datasets import build_files
from services.synthetic_generator.domain import GenerationRequest
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.grammars import GRAMMARS
from tests.benchmarks.harness import Figure, median

ROWS, ROUNDS = 4_000, 3
TINY = {"ROWS": 60, "ROUNDS": 1}
DOMAIN = "customer-support"
RIVAL = Path(__file__).with_name("data_designer_process.py")
LONGEST_SECONDS = 300.0


def run() -> list[Figure]:
    """Both in turn, several times; the ratio is that of the medians."""
    ours: list[float] = []
    theirs: list[float] = []
    interpreter = os.environ.get("ARCHON_DATA_DESIGNER_PYTHON")
    for seed in range(ROUNDS):
        ours.append(_make(seed))
        if interpreter:
            theirs.append(_make_elsewhere(interpreter))
    figures = [median("templates", ours, unit="rows/s")]
    if not theirs:
        print("Data Designer was not measured: ARCHON_DATA_DESIGNER_PYTHON is not set")
        return figures
    rival = median("Data Designer", theirs, unit="rows/s")
    ratio = figures[0].figure / rival.figure
    times = Figure(name="templates beside Data Designer", figure=ratio, unit="times", reach=10.0)
    return [*figures, rival, times]


def _make(seed: int) -> float:
    request = GenerationRequest(
        scenario_type=DOMAIN,
        count=ROWS,
        difficulty="medium",
        edge_cases=False,
        diversity=0.0,
        seed=seed,
    )
    started = time.perf_counter()
    generated = generate(request, ())
    build_files(request, generated)
    seconds = time.perf_counter() - started
    if len(generated.accepted) != ROWS:
        raise RuntimeError(f"{len(generated.accepted)} of {ROWS} rows: {generated.rejected}")
    return ROWS / seconds


def _make_elsewhere(interpreter: str) -> float:
    grammar = GRAMMARS[DOMAIN]
    domain: dict[str, Any] = {
        "requests": {target: list(texts) for target, texts in grammar.requests.items()},
        "slots": {slot: list(values) for slot, values in grammar.slots.items()},
        "openings": list(grammar.openings),
        "closings": list(grammar.closings),
    }
    environment = {**os.environ, "NEMO_TELEMETRY_ENABLED": "false", "PYTHONPATH": ""}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [interpreter, str(RIVAL), folder],
            input=json.dumps({"rows": ROWS, "domain": domain}),
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            env=environment,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    made = json.loads(done.stdout.splitlines()[-1])
    return float(made["rows"] / made["seconds"])
