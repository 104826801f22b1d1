"""Leakage across the parts of prepared CLINC150 and BFCL, their sizes, and their stability.

The rows of all parts of CLINC150 come as one uploaded dataset, those of BFCL too; they go through
the whole preparation. Leakage is counted by comparing every pair of inputs across parts that shares
a rare n-gram; stability is whether records keep their part in a version with twice the rows.
"""

from collections.abc import Mapping, Sequence

from archon_contracts.commands import SourceKind
from archon_contracts.formats import Split, TrainingItem
from archon_contracts.values import AgentKind
from services.data_prep.domain import GradedItem, PreparationPolicy, PreparedDataset, Targets
from services.data_prep.pipeline import PreparationInputs, prepare
from services.data_prep.quality.leakage_check import check_leakage
from services.data_prep.sources.records import ParsedSource
from tests.benchmarks.data.clinc_rows import DATA_FILE as DATA_FILE
from tests.benchmarks.data.clinc_rows import LabelledRow, read_bfcl, read_clinc
from tests.benchmarks.harness import Figure
from tests.support.data.datasets import prepare_dataset

ROWS: int | None = None
TINY = {"ROWS": 300}
SHARES = {Split.TRAIN: 0.7, Split.VALIDATION: 0.15, Split.TEST: 0.15}


def run() -> list[Figure]:
    """Pairs alike across parts, the largest distance from 70/15/15, and records that moved."""
    clinc = [row for part in ("train", "val", "test") for row in read_clinc(part, most=ROWS)]
    sets = {"CLINC150": clinc, "BFCL": read_bfcl()[:ROWS]}
    figures: list[Figure] = []
    for name, rows in sets.items():
        whole = _prepare(rows)
        figures += [
            Figure(
                name=f"{name}, pairs across parts",
                figure=check_leakage(whole.splits).pairs,
                unit="pairs",
                reach=0,
                higher_is_better=False,
            ),
            Figure(
                name=f"{name}, from 70/15/15",
                figure=_measure_distance(whole),
                unit="points",
                reach=1.0,
                higher_is_better=False,
            ),
            Figure(
                name=f"{name}, records in another part of a version twice the size",
                figure=_measure_moved(_prepare(rows[: len(rows) // 2]), whole),
                unit="proportion",
                higher_is_better=False,
            ),
        ]
    return figures


def _prepare(rows: Sequence[LabelledRow]) -> PreparedDataset:
    records = [
        TrainingItem(id=str(n), input=row.text, target=row.label, source=SourceKind.EXTERNAL)
        for n, row in enumerate(rows)
    ]
    source = ParsedSource(SourceKind.EXTERNAL, records, received=len(records))
    inputs = PreparationInputs(
        command=prepare_dataset(kind=AgentKind.CLASSIFIER),
        parsed_sources=[source],
        targets=Targets(),
    )
    result = prepare(inputs, PreparationPolicy())
    if not isinstance(result, PreparedDataset):
        raise RuntimeError(result.reason)
    return result


def _measure_distance(prepared: PreparedDataset) -> float:
    """The largest difference of a part's size from what it should be, in points."""
    total = sum(len(part) for part in prepared.splits.values())
    sizes = {name: len(part) / total for name, part in prepared.splits.items()}
    return max(100 * abs(sizes[name] - share) for name, share in SHARES.items())


def _measure_moved(before: PreparedDataset, after: PreparedDataset) -> float:
    """The proportion of the inputs of both versions that are in another part of the later one."""
    known, now = _parts_of(before.splits), _parts_of(after.splits)
    shared = known.keys() & now.keys()
    return sum(known[key] != now[key] for key in shared) / len(shared)


def _parts_of(splits: Mapping[Split, Sequence[GradedItem]]) -> dict[str, Split]:
    return {graded.item.key: name for name, part in splits.items() for graded in part}
