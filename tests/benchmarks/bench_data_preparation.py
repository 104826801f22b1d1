"""Preparing a dataset from feedback lines: a window of 300, and 100,000.

The lines are made-up customer requests with corrections; the memory is full, and half as many items
are replayed. Measured is the way from lines to files, with the CPU time of this process: what else
the machine does has no part in it.
"""

import resource
import statistics
import time

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.identifiers import derived_id
from services.data_prep.cleaning.cleaning import build_items, deduplicate
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import (
    Item,
    PreparationCounters,
    PreparationPolicy,
    PreparedDataset,
    Targets,
)
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.sources.records import read_source
from services.synthetic_generator.domain import GenerationRequest
from services.synthetic_generator.generation import generate
from tests.benchmarks.harness import Figure
from tests.support.data.datasets import plan, prepare_dataset

WINDOW, MANY, MEMORY, ROUNDS = 300, 100_000, 2_000, 5
TINY = {"WINDOW": 40, "MANY": 200, "MEMORY": 40, "ROUNDS": 1}
COMMAND = prepare_dataset(plan=plan(0.5), job_id=derived_id("benchmark"))


def run() -> list[Figure]:
    """Prepare the window several times and the many once."""
    memory = _items(_lines(MEMORY, seed=1))
    window = _lines(WINDOW, seed=2)
    rounds = [_seconds(window, memory) for _ in range(ROUNDS)]
    many = _seconds(_lines(MANY, seed=3), memory)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure(
            name=f"{WINDOW} items",
            figure=statistics.median(rounds),
            unit="s CPU",
            reach=0.3,
            higher_is_better=False,
        ),
        Figure(name=f"{MANY} items", figure=MANY / many, unit="items/s CPU"),
        Figure(name="peak memory", figure=peak_mb, unit="MB", higher_is_better=False),
    ]


def _seconds(lines: list[bytes], memory: list[Item]) -> float:
    began = time.process_time()
    reading = read_source(lines, SourceKind.FEEDBACK)
    preparation_inputs = PreparationInputs(
        command=COMMAND, parsed_sources=[reading], targets=Targets(), memory=memory
    )
    result = prepare(preparation_inputs, PreparationPolicy())
    if not isinstance(result, PreparedDataset):
        raise RuntimeError(result.reason)
    build_files(COMMAND, result, PreparationPolicy())
    return time.process_time() - began


def _lines(count: int, seed: int) -> list[bytes]:
    request = GenerationRequest(
        scenario_type="customer-support",
        count=count,
        difficulty="hard",
        edge_cases=True,
        diversity=0.0,
        seed=seed,
    )
    return [
        orjson.dumps(
            {
                "id": f"{seed}-{number}",
                "input": candidate.sample.input,
                "target": candidate.sample.target,
                "actual": "complaint",
            }
        )
        for number, candidate in enumerate(generate(request, ()).accepted)
    ]


def _items(lines: list[bytes]) -> list[Item]:
    reading = read_source(lines, SourceKind.FEEDBACK)
    return deduplicate(
        build_items(reading.records, Targets(), PreparationCounters()), PreparationCounters()
    )
