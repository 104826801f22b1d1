"""Made items as files: `items.jsonl` and a report on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.formats import (
    ITEMS_FILE,
    REPORT_FILE,
    LineInvalid,
    TrainingItem,
    nonblank_lines,
    parse_line,
    to_jsonl,
)
from services.synthetic_generator.domain import (
    Candidate,
    GenerationRequest,
    GenerationResult,
    Sample,
)
from services.synthetic_generator.quality.diversity import distinct_n, similarity_limit


def build_files(request: GenerationRequest, generated: GenerationResult) -> dict[str, bytes]:
    """The files of the artifact; they depend on nothing but the request and the examples."""
    return {
        ITEMS_FILE: to_jsonl(_to_item(request, candidate) for candidate in generated.accepted),
        REPORT_FILE: orjson.dumps(
            build_report(request, generated), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
        ),
    }


def read_samples(lines: Iterable[bytes]) -> list[Sample]:
    """The items that have an input and a target; other lines are passed over."""
    samples: list[Sample] = []
    for _, line in nonblank_lines(lines):
        try:
            item = parse_line(line, TrainingItem)
        except LineInvalid:
            continue
        if item.input.strip() and item.target.strip():
            samples.append(Sample(item.input, item.target))
    return samples


def build_report(request: GenerationRequest, generated: GenerationResult) -> dict[str, Any]:
    """What was asked, what was made, how varied it is, what was turned down."""
    texts = [candidate.sample.input for candidate in generated.accepted]
    return {
        "scenario_type": request.scenario_type,
        "difficulty": request.difficulty,
        "edge_cases": request.edge_cases,
        "diversity": request.diversity,
        "seed": request.seed,
        "requested": request.count,
        "generated": len(texts),
        "rejected": generated.rejected,
        "by_method": dict(sorted(Counter(str(c.method) for c in generated.accepted).items())),
        "by_target": dict(sorted(Counter(c.sample.target for c in generated.accepted).items())),
        "similarity_limit": similarity_limit(request.diversity),
        "distinct_1": distinct_n(texts, 1),
        "distinct_2": distinct_n(texts, 2),
        "personal_data_replaced": dict(generated.redacted),
    }


def _to_item(request: GenerationRequest, candidate: Candidate) -> TrainingItem:
    sample = candidate.sample
    text = f"{sample.key}\x1f{sample.target}"
    return TrainingItem(
        id=f"synthetic-{blake2b(text.encode(), digest_size=10).hexdigest()}",
        input=sample.input,
        target=sample.target,
        source=SourceKind.SYNTHETIC,
        generator=str(candidate.method),
        skill=request.scenario_type,
    )
