"""The generator's child process: a request and examples in, files out.

The examples are strangers' texts: a child can be ended at its deadline, a thread cannot.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from archon_contracts.base import ValueObject
from archon_contracts.commands import EdgeCaseFamily, GenerateSyntheticData
from archon_contracts.events import SyntheticQuality
from archon_contracts.formats import ITEMS_FILE, SUITE_FILES, nonblank_lines
from services.synthetic_generator.datasets import build_files, describe_shortfall, read_samples
from services.synthetic_generator.domain import (
    Candidate,
    GenerationRequest,
    GenerationResult,
    Method,
    RejectionReason,
    Sample,
)
from services.synthetic_generator.errors import UnreadableExamples
from services.synthetic_generator.generation import GenerationState, generate
from services.synthetic_generator.generators.llm import LanguageModelEndpoint
from services.synthetic_generator.generators.selection import GenerationResources
from services.synthetic_generator.privacy_audit import audit
from services.synthetic_generator.quality.figures import measure

if TYPE_CHECKING:
    from archon_inference.ports import Predictor

ENTRY = "services.synthetic_generator.child:run"
FORK_SERVER_MODULES = (
    "services.synthetic_generator.child",
    "sklearn.feature_extraction.text",
    "sacrebleu.metrics.bleu",
)
"""What the fork server imports, so that a child has not to: a second and more."""
SEGMENT_SECONDS: Final = 1.0
"""Between two reports of what was made; as often progress is published."""
MEASURING_PROPORTION: Final = 0.2
"""Of the deadline, kept for figures and files when there are fewer items by then."""

Report = Callable[[dict[str, Any]], None]


class GenerationSpec(ValueObject):
    """All that a child needs for one request."""

    command: GenerateSyntheticData
    examples: Path | None
    output_dir: Path
    deployed: Path | None = None
    held_out: Path | None = None
    domains: Path | None = None
    segments: tuple[dict[str, Any], ...] = ()
    """What was made before an interruption."""
    endpoint: dict[str, Any] | None = None
    """Fields of a `LanguageModelEndpoint`."""
    deadline_seconds: float = 600.0
    threads: int = 1
    omissions: tuple[str, ...] = ()


class GeneratedCounts(ValueObject):
    """What was made, and how many candidates were turned down for which reason."""

    items: int
    rejected: dict[str, int]
    shortfall: str = ""
    quality: SyntheticQuality | None = None


def run(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Make the items of a `GenerationSpec` and write their files into `output_dir`.

    Raises:
        UnreadableExamples: a folder does not hold the file of items that it should.
        DomainInvalid: the domain's file or package is not right.
        InferenceError: the deployed version cannot be loaded.
    """
    task = GenerationSpec.model_validate(spec)
    request = build_request(task.command)
    examples = _read_examples(task.examples) if task.examples else []
    endpoint = LanguageModelEndpoint(**task.endpoint) if task.endpoint else None
    resources = _load_resources(task, endpoint)
    resume = parse_segments(task.segments)
    began = time.monotonic()
    segments = SegmentReporter(
        report,
        until=began + task.deadline_seconds * (1 - MEASURING_PROPORTION),
        reported=len(resume.accepted) if resume else 0,
        endpoint=endpoint,
    )
    generated = generate(request, examples, resources, resume=resume, on_round=segments.on_round)
    until = began + task.deadline_seconds * (1 - MEASURING_PROPORTION / 2)
    quality = _measure(request, generated, examples, resources, until)
    for name, content in build_files(request, generated, quality).items():
        (task.output_dir / name).write_bytes(content)
    counts = GeneratedCounts(
        items=len(generated.accepted),
        rejected=generated.rejected,
        shortfall=describe_shortfall(request.count, generated),
        quality=quality,
    )
    return counts.model_dump(mode="json")


def build_request(command: GenerateSyntheticData) -> GenerationRequest:
    """What the command asks for."""
    return GenerationRequest(
        scenario_type=command.scenario_type,
        count=command.count,
        difficulty=command.difficulty,
        edge_cases=command.edge_cases,
        diversity=command.diversity,
        seed=command.seed,
        methods=command.methods,
        families=command.edge_case_families,
        privacy_distance=command.privacy_distance,
    )


class SegmentReporter:
    """Reports what was made since the last report, and stops a generation when its time is over."""

    def __init__(
        self,
        report: Report,
        *,
        until: float,
        reported: int = 0,
        endpoint: LanguageModelEndpoint | None = None,
        seconds: float = SEGMENT_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._report = report
        self._until = until
        self._reported = reported
        self._endpoint = endpoint
        self._last = time.monotonic()

    def on_round(self, state: GenerationState) -> bool:
        """Whether the time is over; reports at most once in `seconds`."""
        now = time.monotonic()
        if now - self._last >= self._seconds:
            self._last = now
            self._report(self._build_segment(state))
        return now > self._until

    def _build_segment(self, state: GenerationState) -> dict[str, Any]:
        new, self._reported = state.accepted[self._reported :], len(state.accepted)
        replies: dict[str, str] = {}
        if self._endpoint is not None:
            replies, self._endpoint.new_replies = self._endpoint.new_replies, {}
        return {
            "event": "segment",
            "accepted": len(state.accepted),
            "items": [[c.sample.input, c.sample.target, c.method, c.family] for c in new],
            "state": {
                "attempt": state.attempt,
                "rejections": {str(reason): n for reason, n in state.rejections.items()},
                # A list: JSON objects come back from the database in another order.
                "failures": list(state.failures.items()),
            },
            "replies": replies,
        }


def parse_segments(segments: Sequence[Mapping[str, Any]]) -> GenerationState | None:
    """The state that segments describe; None: nothing was made before."""
    if not segments:
        return None
    last = segments[-1]["state"]
    return GenerationState(
        attempt=last["attempt"],
        accepted=[
            Candidate(Sample(text, target), Method(method), EdgeCaseFamily(f) if f else None)
            for segment in segments
            for text, target, method, f in segment["items"]
        ],
        rejections=Counter({RejectionReason(name): n for name, n in last["rejections"].items()}),
        failures=dict(last["failures"]),
    )


def _load_resources(
    task: GenerationSpec, endpoint: LanguageModelEndpoint | None
) -> GenerationResources:
    predictor: Predictor | None = None
    answers: Sequence[str] = task.command.answers
    omissions = task.omissions
    if task.deployed is not None:
        try:
            predictor, answers = _load_deployed(task.deployed, task.threads)
        except ImportError as error:
            omissions = (*omissions, f"the deployed version was not asked: {error}")
    return GenerationResources(
        endpoint=endpoint,
        predictor=predictor,
        answers=answers,
        held_out=_read_inputs(task.held_out) if task.held_out else (),
        domains=task.domains,
        omissions=omissions,
    )


def _load_deployed(folder: Path, threads: int) -> tuple[Predictor, Sequence[str]]:
    """The deployed version, and the answers that it can give."""
    from archon_inference.card import read_card
    from archon_inference.catalogue import read_catalogue
    from archon_inference.loading import load_predictor

    card = read_card(folder)
    answers: Sequence[str] = card.labels
    if card.catalogue is not None:
        answers = [tool.name for tool in read_catalogue(folder / card.catalogue)]
    return load_predictor(folder, threads=threads), answers


def _measure(
    request: GenerationRequest,
    generated: GenerationResult,
    examples: Sequence[Sample],
    resources: GenerationResources,
    until: float,
) -> SyntheticQuality | None:
    predictor, known = resources.predictor, frozenset(resources.answers)

    def is_wrong(samples: Sequence[Sample]) -> list[bool | None]:
        if predictor is None:
            return [None] * len(samples)
        read = predictor.predict([each.input for each in samples])
        return [
            answer.output != sample.target if sample.target in known else None
            for sample, answer in zip(samples, read, strict=True)
        ]

    quality = measure(generated.accepted, examples, request.diversity, is_wrong=is_wrong)
    if quality is None or quality.privacy is None:
        return quality
    audited = audit(request, examples, resources, quality.privacy, until=until)
    return quality.model_copy(update={"privacy": audited})


def _read_examples(folder: Path) -> list[Sample]:
    path = folder / ITEMS_FILE
    if not path.is_file():
        raise UnreadableExamples(f"artifact {folder.name[:12]} holds no {ITEMS_FILE}")
    with path.open("rb") as lines:
        return read_samples(lines)


def _read_inputs(folder: Path) -> list[str]:
    """The inputs of an evaluation suite, as they are compared."""
    path = next((folder / name for name in SUITE_FILES if (folder / name).is_file()), None)
    if path is None:
        raise UnreadableExamples(f"suite {folder.name[:12]} holds no {' or '.join(SUITE_FILES)}")
    with path.open("rb") as lines:
        items = [orjson.loads(line) for _, line in nonblank_lines(lines)]
    return [Sample(str(item.get("input", "")), "").key for item in items]
