"""A language model that grades answers: repeated, in both orders, within a limit of cost."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from archon_contracts.formats import CaseResult, GradingReport
from archon_contracts.values import Estimate
from services.evaluator.comparison.estimates import estimate_proportion
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.grading.agreement import compare_with_people, measure_noise
from services.evaluator.suites.grading.replies import (
    ReplyInvalid,
    build_pair_prompt,
    build_rubric_prompt,
    read_pair_reply,
    read_rubric_reply,
)
from services.evaluator.suites.ports import EvaluatedAgent
from services.evaluator.suites.suite_model import Grading, Prices, Suite

TIMEOUT_SECONDS: Final = 60.0
MAXIMUM_TOKENS: Final = 256
"""A grade and a sentence."""
BATCH: Final = 32
"""Requests between two looks at the cost."""
GRADER_VERSION: Final = 1
"""Raise it when a prompt changes: what is cached is of another question then."""


@dataclass(frozen=True, slots=True)
class GradeRequest:
    """One question to the grader. `swapped`: the agent's answer is the second of two."""

    place: int
    prompt: str
    repeat: int
    swapped: bool = False


@dataclass(slots=True)
class GradeLog:
    """What became of the questions so far."""

    replies: dict[GradeRequest, float] = field(default_factory=dict)
    asked: int = 0
    from_cache: int = 0
    invalid: int = 0
    failed: int = 0
    cost: float | None = None
    problem: str = ""
    stopped: str = ""


def build_endpoint(url: str, model: str, api_key: str) -> EvaluatedAgent:
    """The endpoint of a grader.

    Raises:
        AgentUnusable: the URL is none of http or https.
    """
    # Imported here: a suite without a grader needs no HTTP client.
    from services.evaluator.suites.agents.endpoint_agent import Endpoint, EndpointAgent

    return EndpointAgent(
        Endpoint(
            url=url,
            model=model,
            api_key=api_key,
            timeout_seconds=TIMEOUT_SECONDS,
            maximum_tokens=MAXIMUM_TOKENS,
        ),
        option="--grader",
    )


class Grader:
    """Grades the answers of a suite. `known` is what was asked before; `new` what is since then."""

    def __init__(self, agent: EvaluatedAgent, known: Mapping[str, str]) -> None:
        self._agent = agent
        self._known = known
        self.new: dict[str, str] = {}

    @property
    def name(self) -> str:
        """The endpoint and model."""
        return self._agent.name

    def grade(
        self, suite: Suite, grading: Grading, results: Sequence[CaseResult]
    ) -> tuple[list[CaseResult], GradingReport]:
        """The results with their `quality`, and how far it can be believed.

        An answer whose grading failed has none: it is counted as unscored, and is never a 0.
        """
        requests = list(_build_requests(grading, results))
        log = GradeLog(cost=0.0 if grading.prices else None)
        self._ask_all(requests, grading, log)
        qualities = _collect(requests, log.replies)
        graded = [
            each.model_copy(update={"quality": sum(found) / len(found)})
            if (found := qualities.get(place))
            else each
            for place, each in enumerate(results)
        ]
        wanted = {each.place for each in requests}
        return graded, self._report(suite, log, graded, qualities, len(wanted))

    def _ask_all(self, requests: Sequence[GradeRequest], grading: Grading, log: GradeLog) -> None:
        new = []
        for each in requests:
            key = self._key(each)
            known = self._known.get(key, self.new.get(key))
            if known is None:
                new.append(each)
            else:
                log.from_cache += 1
                self._record(each, known, grading, log)
        for start in range(0, len(new), BATCH):
            left = grading.maximum_requests - log.asked
            if left <= 0:
                log.stopped = f"stopped after {log.asked} requests (maximum_requests)"
                return
            limit = grading.maximum_cost
            if limit is not None and log.cost is not None and log.cost >= limit:
                log.stopped = f"stopped at a cost of {log.cost:.4g} (maximum_cost)"
                return
            batch = new[start : start + BATCH][:left]
            answers = self._agent.answer([each.prompt for each in batch], lambda _done: None)
            for each, answer in zip(batch, answers, strict=True):
                self._record_answer(each, answer, grading, log)
        if len(new) > log.asked:
            log.stopped = f"stopped after {log.asked} requests (maximum_requests)"

    def _record_answer(
        self, request: GradeRequest, answer: Answer, grading: Grading, log: GradeLog
    ) -> None:
        log.asked += 1
        if log.cost is not None and grading.prices is not None:
            log.cost += _price(answer, grading.prices)
        if answer.error:
            log.failed += 1
            log.problem = answer.error
        elif self._record(request, answer.output, grading, log):
            self.new[self._key(request)] = answer.output

    def _record(self, request: GradeRequest, text: str, grading: Grading, log: GradeLog) -> bool:
        """Whether the reply is as asked for; it counts then."""
        try:
            log.replies[request] = _read(request, text, grading)
        except ReplyInvalid as error:
            log.invalid += 1
            log.problem = str(error)
            return False
        return True

    def _key(self, request: GradeRequest) -> str:
        parts = (str(GRADER_VERSION), self.name, str(request.repeat), request.prompt)
        return hashlib.sha256("\x00".join(parts).encode()).hexdigest()

    def _report(
        self,
        suite: Suite,
        log: GradeLog,
        graded: Sequence[CaseResult],
        qualities: Mapping[int, Sequence[float]],
        wanted: int,
    ) -> GradingReport:
        people = {
            case.id: float(case.human_quality)
            for case in suite.cases
            if case.human_quality is not None
        }
        labelled = [
            (each.quality, people[each.id])
            for each in graded
            if each.quality is not None and each.id in people
        ]
        return GradingReport(
            grader=self.name,
            graded=len(qualities),
            ungraded=wanted - len(qualities),
            requests=log.asked,
            from_cache=log.from_cache,
            invalid_replies=log.invalid,
            failed_requests=log.failed,
            problem=log.problem,
            stopped=log.stopped,
            noise=measure_noise(list(qualities.values())),
            position_flips=_count_flips(log.replies),
            agreement=compare_with_people(
                [quality for quality, _ in labelled], [label for _, label in labelled]
            ),
            cost=log.cost,
        )


def _build_requests(grading: Grading, results: Sequence[CaseResult]) -> Iterable[GradeRequest]:
    """All questions: repeats outside, so that a limit leaves answers with fewer and not without."""
    for repeat in range(grading.repeats):
        for place, each in enumerate(results):
            if each.error:
                continue
            if not grading.compare_with_target:
                prompt = build_rubric_prompt(grading.rubric, each.input, each.output)
                yield GradeRequest(place, prompt, repeat)
            elif each.target:
                pair = (each.output, each.target)
                for swapped in (False, True):
                    first, second = reversed(pair) if swapped else pair
                    prompt = build_pair_prompt(grading.rubric, each.input, first, second)
                    yield GradeRequest(place, prompt, repeat, swapped)


def _read(request: GradeRequest, text: str, grading: Grading) -> float:
    """The quality that a reply says, from 0 to 1."""
    if not grading.compare_with_target:
        return read_rubric_reply(text).quality
    better = read_pair_reply(text).better
    if better == "tie":
        return 0.5
    return float((better == "B") == request.swapped)


def _collect(
    requests: Iterable[GradeRequest], replies: Mapping[GradeRequest, float]
) -> dict[int, list[float]]:
    """The quality of each repeat, by the place of the answer.

    Of a pair both orders are needed: one alone is the answer's quality and the position's together.
    """
    by_repeat: dict[tuple[int, int], list[float]] = {}
    wanted: dict[tuple[int, int], int] = {}
    for each in requests:
        key = (each.place, each.repeat)
        wanted[key] = wanted.get(key, 0) + 1
        if each in replies:
            by_repeat.setdefault(key, []).append(replies[each])
    found: dict[int, list[float]] = {}
    for key, values in by_repeat.items():
        if len(values) == wanted[key]:
            found.setdefault(key[0], []).append(sum(values) / len(values))
    return found


def _count_flips(replies: Mapping[GradeRequest, float]) -> Estimate | None:
    """How often the winner of a pair changes with the order; None: no pair was asked twice."""
    orders: dict[tuple[int, int], dict[bool, float]] = {}
    for each, value in replies.items():
        orders.setdefault((each.place, each.repeat), {})[each.swapped] = value
    pairs = [both for both in orders.values() if len(both) == 2]
    if not pairs:
        return None
    return estimate_proportion(sum(both[False] != both[True] for both in pairs), len(pairs))


def _price(answer: Answer, prices: Prices) -> float:
    return (
        (answer.input_tokens or 0) * float(prices.input_tokens_per_million) / 1e6
        + (answer.output_tokens or 0) * float(prices.output_tokens_per_million) / 1e6
        + (answer.calls or 1) * float(prices.per_call)
    )
