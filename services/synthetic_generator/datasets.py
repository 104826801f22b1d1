"""Made items as files: `items.jsonl` and a report on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson

from archon_contracts.commands import SourceKind
from archon_contracts.events import SyntheticQuality
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
    RejectionReason,
    Sample,
)
from services.synthetic_generator.quality.diversity import distinct_n, similarity_limit

STATED_REASONS = 3
SYNTHETIC_WEIGHT = 0.3
"""Of a real item's weight in training; of 0.1, 0.3 and 1 the best on validation rows of one seed of
CLINC150, which is little evidence."""
_ADVICE = {
    RejectionReason.TOO_SIMILAR: "lower diversity, or give more examples",
    RejectionReason.DUPLICATE: "give more examples, or another method",
    RejectionReason.SAME_AS_EXAMPLE: "give more examples, or another method",
    RejectionReason.NO_SOURCE: "name a scenario type with a domain, or examples",
    RejectionReason.NO_ENDPOINT: "set ARCHON_SYNTHETIC_GENERATOR_LLM_URL, or leave the method out",
    RejectionReason.NO_REPLY: "look at the endpoint's log, or leave the method out",
    RejectionReason.NO_DEPLOYED_MODEL: "deploy a version first, or leave the method out",
    RejectionReason.NEAR_PRIVATE_RECORD: "lower privacyDistance, or use templates",
    RejectionReason.DEADLINE: "ask for fewer, or raise the deadline in the settings",
    RejectionReason.CONSTRAINTS: "loosen the domain's constraints",
}


def build_files(
    request: GenerationRequest,
    generated: GenerationResult,
    quality: SyntheticQuality | None = None,
) -> dict[str, bytes]:
    """The files of the artifact; they depend on nothing but the request and the examples."""
    report = build_report(request, generated)
    if quality is not None:
        report["quality"] = quality.model_dump(mode="json")
    return {
        ITEMS_FILE: to_jsonl(_to_item(request, candidate) for candidate in generated.accepted),
        REPORT_FILE: orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS),
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
    accepted = generated.accepted
    texts = [candidate.sample.input for candidate in accepted]
    families = Counter(str(c.family) for c in accepted if c.family is not None)
    return {
        "scenario_type": request.scenario_type,
        "difficulty": request.difficulty,
        "edge_cases": request.edge_cases,
        "diversity": request.diversity,
        "privacy_distance": request.privacy_distance,
        "seed": request.seed,
        "requested": request.count,
        "generated": len(texts),
        "shortfall": describe_shortfall(request.count, generated),
        "candidates": generated.candidates,
        "acceptance_rate": len(texts) / generated.candidates if generated.candidates else None,
        "rejected": generated.rejected,
        "unchecked": list(generated.unchecked),
        "by_method": dict(sorted(Counter(str(c.method) for c in accepted).items())),
        "by_edge_case": dict(sorted(families.items())),
        "by_target": dict(sorted(Counter(c.sample.target for c in accepted).items())),
        "similarity_limit": similarity_limit(request.diversity),
        "distinct_1": distinct_n(texts, 1),
        "distinct_2": distinct_n(texts, 2),
        "personal_data_replaced": dict(generated.redacted),
    }


def describe_shortfall(requested: int, generated: GenerationResult) -> str:
    """Why there are fewer items than asked for, and what helps; empty: there are not."""
    delivered = len(generated.accepted)
    if delivered >= requested:
        return ""
    common = generated.rejections.most_common(STATED_REASONS)
    reasons = ", ".join(f"{reason} {count}" for reason, count in common) or "nothing was made"
    advice = next((_ADVICE[reason] for reason, _ in common if reason in _ADVICE), "")
    return f"asked for {requested}, delivered {delivered}: {reasons}" + (
        f"; {advice}" if advice else ""
    )


def _to_item(request: GenerationRequest, candidate: Candidate) -> TrainingItem:
    sample = candidate.sample
    text = f"{sample.key}\x1f{sample.target}"
    return TrainingItem(
        id=f"synthetic-{blake2b(text.encode(), digest_size=10).hexdigest()}",
        input=sample.input,
        target=sample.target,
        weight=SYNTHETIC_WEIGHT,
        source=SourceKind.SYNTHETIC,
        generator=":".join(filter(None, (candidate.method, candidate.family))),
        skill=request.scenario_type,
    )
