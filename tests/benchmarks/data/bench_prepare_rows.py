"""Preparing 100,000 uploaded rows of 20 words: clean, merge duplicates, split, augment, report.

Words are made up, with the frequencies of a language; every tenth row repeats another one but for a
word. Measured is the CPU time of this process from records to files, and of twice as many rows.
"""

import itertools
import random
import resource
import time
from typing import Final

from archon_contracts.commands import SourceKind
from archon_contracts.formats import TrainingItem
from archon_contracts.values import AgentKind
from services.data_prep.dataset_writer import build_files
from services.data_prep.domain import PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.quality.report import assess
from services.data_prep.sources.records import ParsedSource
from tests.benchmarks.harness import Figure
from tests.support.data.datasets import prepare_dataset

ROWS, HALF = 100_000, 50_000
TINY = {"ROWS": 400, "HALF": 200}
VOCABULARY, WORDS, TARGETS, REPEATED = 20_000, 20, 50, 0.1
POLICY: Final = PreparationPolicy(augmentation_share=0.1)


def run() -> list[Figure]:
    """CPU seconds, and how they grow when the rows double."""
    half, whole = _measure(HALF), _measure(ROWS)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        Figure(name=f"{ROWS} rows", figure=whole, unit="s CPU", reach=60.0, higher_is_better=False),
        Figure(
            name=f"{ROWS} rows over {HALF}",
            figure=whole / half,
            unit="times",
            reach=2.2,
            higher_is_better=False,
        ),
        Figure(name="peak memory", figure=peak, unit="MB", higher_is_better=False),
    ]


def _measure(rows: int) -> float:
    records = _make_records(rows)
    command = prepare_dataset(kind=AgentKind.CLASSIFIER)
    source = ParsedSource(SourceKind.EXTERNAL, records, received=rows)
    began = time.process_time()
    inputs = PreparationInputs(command=command, parsed_sources=[source], targets=Targets())
    prepared = prepare(inputs, POLICY)
    if not isinstance(prepared, PreparedDataset):
        raise RuntimeError(prepared.reason)
    build_files(command, assess(command, prepared, []).prepared, POLICY)
    return time.process_time() - began


def _make_records(rows: int) -> list[TrainingItem]:
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(VOCABULARY)]
    # Zipf's law, as the frequencies of words follow it.
    frequencies = list(itertools.accumulate(1 / (rank + 10) for rank in range(VOCABULARY)))
    texts = [rng.choices(words, cum_weights=frequencies, k=WORDS) for _ in range(rows)]
    for place in range(round(REPEATED * rows)):
        texts[-1 - place] = [*texts[place][:3], "other", *texts[place][4:]]
    return [
        TrainingItem(
            id=str(n), input=" ".join(text), target=f"t{n % TARGETS}", source=SourceKind.EXTERNAL
        )
        for n, text in enumerate(texts)
    ]
