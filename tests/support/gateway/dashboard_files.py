"""Files of a dataset and of an evaluation, as pages read them."""

from __future__ import annotations

from archon_contracts.events import QualityReport
from archon_contracts.formats import (
    CHANGES_FILE,
    QUALITY_FILE,
    QUARANTINED_FILE,
    DatasetQuality,
    Freshness,
    LeakageCheck,
    PersonalDataFound,
    PredictionRow,
    QuarantinedItem,
    Split,
    TargetBalance,
    TrainingItem,
    predictions_file,
    split_file,
    to_jsonl,
)
from archon_contracts.values import AgentKind
from tests.support.gateway.reported_runs import changes_of

TOPICS = ("billing", "delivery", "refund", "returns", "warranty")


def dataset_files(text: str, *, first: int = 0) -> dict[str, bytes]:
    """Forty items of five answers, a few of them for validation and test, and what was quarantined.

    Items are named by their numbers from `first` on; `text` stands in inputs and reasons.
    """
    items = [
        TrainingItem(
            id=f"item-{n}",
            input=f"How do I ask for {TOPICS[n % 5]}, case {n}? {text}",
            target=TOPICS[n % 5],
            source="feedback",
            weight=0.5 if n % 7 == 0 else 1.0,
            unit=f"user-{n % 4}",
        )
        for n in range(first, first + 40)
    ]
    held = QuarantinedItem(id="item-999", reason="contradicted", explanation=text)
    quality = DatasetQuality(
        agent_id="a",
        kind=AgentKind.CLASSIFIER,
        items={"train": 30, "validation": 5, "test": 5},
        counts=QualityReport(received=41, kept=40),
        balance=TargetBalance(
            targets=5,
            largest=text,
            largest_proportion=0.2,
            smallest_items=8,
            seen_once=0,
            evenness=0.95,
            counts={text: 8, **dict.fromkeys(TOPICS, 8)},
        ),
        personal_data=PersonalDataFound(items=0, by_kind={}, redacted=False),
        leakage=LeakageCheck(threshold=0.8, compared=10, pairs=0),
        freshness=Freshness(dated=0, undated=40),
    )
    return {
        QUALITY_FILE: quality.model_dump_json().encode(),
        split_file(Split.TRAIN): to_jsonl(items[:30]),
        split_file(Split.VALIDATION): to_jsonl(items[30:35]),
        split_file(Split.TEST): to_jsonl(items[35:]),
        QUARANTINED_FILE: to_jsonl([held]),
    }


def evaluation_files(text: str) -> dict[str, bytes]:
    """Predictions of a candidate and of the deployed version on 50 items, and the changes."""
    files = {CHANGES_FILE: changes_of().model_dump_json().encode()}
    for role, every in (("candidate", 6), ("deployed", 3)):
        rows = []
        for n in range(50):
            target = TOPICS[n % 5]
            output = text if n == 1 else TOPICS[(n + 1) % 5] if n % every == 0 else target
            rows.append(
                PredictionRow(
                    id=f"q{n}",
                    target=target,
                    output=output,
                    score=0.5 + n / 200,
                    correct=output == target,
                )
            )
        files[predictions_file(role)] = to_jsonl(rows)
    return files
