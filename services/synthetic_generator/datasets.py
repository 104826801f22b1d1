"""Made items as files: `items.jsonl` and a report on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeGuard

import orjson

from services.synthetic_generator.domain import (
    SOURCE,
    Candidate,
    GenerationRequest,
    GenerationResult,
    Sample,
)
from services.synthetic_generator.quality.diversity import distinct_n, similarity_limit

ITEMS = "items.jsonl"
REPORT = "report.json"


def build_files(request: GenerationRequest, generated: GenerationResult) -> dict[str, bytes]:
    """The files of the artifact; they depend on nothing but the request and the examples."""
    items = [_to_line(request, candidate) for candidate in generated.accepted]
    return {
        ITEMS: b"".join(orjson.dumps(item, option=orjson.OPT_APPEND_NEWLINE) for item in items),
        REPORT: orjson.dumps(
            build_report(request, generated), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS
        ),
    }


def read_samples(lines: Iterable[bytes]) -> list[Sample]:
    """The lines that have an input and a target, both text."""
    samples: list[Sample] = []
    for line in lines:
        try:
            fields = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(fields, dict):
            continue
        text, target = fields.get("input"), fields.get("target")
        if _is_text(text) and _is_text(target):
            samples.append(Sample(text, target))
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


def _to_line(request: GenerationRequest, candidate: Candidate) -> dict[str, str]:
    sample = candidate.sample
    text = f"{sample.key}\x1f{sample.target}"
    return {
        "id": f"synthetic-{blake2b(text.encode(), digest_size=10).hexdigest()}",
        "input": sample.input,
        "target": sample.target,
        "source": SOURCE,
        "method": str(candidate.method),
        "scenario_type": request.scenario_type,
    }


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip())
