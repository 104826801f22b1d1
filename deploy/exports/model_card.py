"""The card of a version as a page: what it is, what it was made from, how good it is.

Markdown with the front matter of Hugging Face's model cards
(https://huggingface.co/docs/hub/model-cards).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

PIPELINES: Final[Mapping[str, str]] = {
    "classifier": "text-classification",
    "selector": "sentence-similarity",
    "generator": "text-generation",
}


def render_model_card(model: Mapping[str, Any], lineage: Mapping[str, Any]) -> str:
    """The page of a version; `lineage` is the answer of its lineage route."""
    return "\n".join(_lines(model, lineage)) + "\n"


def _lines(model: Mapping[str, Any], lineage: Mapping[str, Any]) -> Iterator[str]:
    origin = model.get("lineage") or {}
    name, version = model["agent_id"], model["version"]
    yield from _front_matter(model, origin)
    yield f"# {_text(name)} {version}"
    yield ""
    kind = model.get("kind") or "model"
    yield f"A {kind} that Archon Training made; its status is {model['status']}."
    yield ""
    yield from _table(
        "Identity",
        {
            "digest of the manifest (SHA-256)": model["digest"],
            "registered": model.get("registered_at"),
            "goes on from": origin.get("parent_version") or "the base model",
            "base model": origin.get("base_model"),
        },
    )
    yield from _metrics(model.get("metrics") or {})
    yield from _table(
        "Training",
        {
            "method": origin.get("method"),
            "seed": origin.get("seed"),
            "configuration": json.dumps(origin.get("config") or {}, sort_keys=True),
            "code revision": origin.get("code_revision"),
            "libraries": json.dumps(origin.get("environment") or {}, sort_keys=True),
            "job": origin.get("job_id"),
        },
    )
    yield from _table(
        "Data",
        {
            "dataset": (origin.get("dataset") or {}).get("digest") or origin.get("dataset_id"),
            "feedback events": lineage.get("feedback_total"),
            "digest of the feedback": origin.get("feedback_digest"),
            "retracted items that it may hold": model.get("withdrawn_items"),
        },
    )
    yield from _ancestors(lineage.get("ancestors") or ())
    yield from _evaluation(model.get("evaluation") or {})
    yield "## Limits"
    yield ""
    yield (
        "It answers with what its agent's data taught it. What the evaluation did not ask is not "
        "known; groups with few items have wide intervals."
    )


def _front_matter(model: Mapping[str, Any], origin: Mapping[str, Any]) -> Iterator[str]:
    # JSON's scalars and lists are YAML's.
    fields = {
        "library_name": "transformers",
        "pipeline_tag": PIPELINES.get(model.get("kind") or "", "other"),
        "tags": ["archon-training", *([model["kind"]] if model.get("kind") else [])],
        "archon_version": model["version"],
        "archon_digest": model["digest"],
    }
    if origin.get("base_model"):
        fields["base_model"] = origin["base_model"]
    yield "---"
    for name, value in fields.items():
        yield f"{name}: {json.dumps(value)}"
    yield "---"
    yield ""


def _table(title: str, fields: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {title}"
    yield ""
    yield "| what | value |"
    yield "|---|---|"
    for name, value in fields.items():
        yield f"| {name} | {'not known' if value is None else _text(value)} |"
    yield ""


def _metrics(metrics: Mapping[str, Any]) -> Iterator[str]:
    yield "## Metrics"
    yield ""
    yield "| metric | value | 95 % interval | items |"
    yield "|---|--:|---|--:|"
    for name, each in sorted(metrics.items()):
        interval = f"{each['low']:.3f} to {each['high']:.3f}"
        yield f"| {_text(name)} | {each['value']:.3f} | {interval} | {each['n']} |"
    yield ""


def _ancestors(ancestors: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Versions that it goes back to"
    yield ""
    for each in ancestors:
        yield f"- {each['version']} ({each['status']}, {each['digest'][:12]})"
    yield ""


def _evaluation(evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield "## Gate"
    yield ""
    if not evaluation:
        yield "It was not evaluated by the gate."
    for reason in evaluation.get("reasons", ()):
        yield f"- {_text(reason)}"
    yield ""


def _text(value: Any) -> str:
    """A value as a cell: one line, and no column of its own."""
    return " ".join(str(value).split()).replace("|", "\\|")
