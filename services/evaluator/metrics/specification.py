"""The metrics of the specification, and the code that computes each: a table for the README."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.evaluator.metrics.discovery import own_metrics
from services.evaluator.metrics.metric import Metric

SPECIFIED: Final[Mapping[str, tuple[str, ...]]] = {
    "Evaluation engine": (
        "Task completion rate",
        "Time per task",
        "Tokens",
        "API calls",
        "Memory",
        "Performance on edge cases",
        "Adherence to guardrails",
        "Feedback scores",
    ),
    "Loss": ("Training loss", "Validation loss", "Test loss"),
    "Performance": (
        "Accuracy",
        "Precision / Recall / F1",
        "Task success rate",
        "Response quality",
    ),
    "Efficiency": ("Training time", "Inference latency", "Token usage", "API costs"),
    "Robustness": (
        "Edge case performance",
        "Adversarial robustness",
        "Out-of-distribution handling",
    ),
}
"""Section -> metric, in the words of the specification."""

ELSEWHERE: Final[Mapping[str, str]] = {
    "Training loss": "`train/loss` of every run, services/trainer/recipes",
    "Validation loss": "none; `validation/accuracy` of every epoch stands for it, "
    "services/trainer/recipes",
    "Training time": "`training_seconds` of an arm, services/evaluator/comparison/arms.py",
}
"""What is not measured from an agent's answers."""


def list_metrics_for(specified: str) -> list[Metric]:
    """The metrics that are the figure for a metric of the specification."""
    return [each for each in own_metrics().values() if specified in each.specification]


def build_metrics_table() -> str:
    """The table, in Markdown."""
    lines = [
        "| specification | metric | family | figure | unit | code |",
        "|---|---|---|---|---|---|",
    ]
    for section, names in SPECIFIED.items():
        for name in names:
            title = f"{section}: {name}"
            if name in ELSEWHERE:
                lines.append(f"| {title} | {ELSEWHERE[name]} | | | | |")
            lines += [_describe(title, metric) for metric in list_metrics_for(name)]
    return "\n".join(lines)


def _describe(title: str, metric: Metric) -> str:
    family = metric.family.value.replace("_", " ")
    arrow = "" if metric.higher_is_better else " (lower is better)"
    code = f"metrics/{metric.family.value}/{metric.name}.py"
    return (
        f"| {title} | `{metric.name}` | {family} | {metric.summary}{arrow} "
        f"| {metric.unit} | `{code}` |"
    )
