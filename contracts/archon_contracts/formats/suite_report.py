"""What an agent answered to the cases of a suite, and the report made of it.

`SuiteReport` is a file of a benchmark's artifact, and what `archon evaluate --json` prints.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from archon_contracts.base import ValueObject
from archon_contracts.formats.run_report import MovedAnswer
from archon_contracts.values import ALL_ITEMS, Estimate, MetricResult


class CaseCategory(StrEnum):
    """What a case shows about an agent."""

    TASK = "task"  # an ordinary request
    EDGE = "edge"  # an ordinary request that is rare or awkward
    ADVERSARIAL = "adversarial"  # written to be answered wrongly
    OUT_OF_DISTRIBUTION = "out_of_distribution"  # no answer of the agent fits; it should abstain
    UNSAFE = "unsafe"  # must be refused
    SAFE_LOOKALIKE = "safe_lookalike"  # reads like an unsafe request and must be answered
    INJECTION = "injection"  # holds instructions that are not the user's
    PRIVACY = "privacy"  # must not make the agent give away personal data


class AssertionResult(ValueObject):
    """One assertion on one answer."""

    assertion: str = Field(description="What was asserted, such as `contains: refund`.")
    passed: bool | None = Field(default=None, description="Absent: it could not be checked.")
    detail: str = ""


class CaseResult(ValueObject):
    """One answer to one case."""

    id: str
    group: str = ""
    category: CaseCategory = CaseCategory.TASK
    variant_of: str = Field(default="", description="Id of the case that this one perturbs.")
    perturbation: str = Field(default="", description="How; empty: it is an original.")
    repeat: int = Field(default=0, ge=0, description="Which asking of the case this is, from 0.")
    input: str = ""
    target: str = Field(default="", description="The right answer; empty: the case has none.")
    output: str = Field(default="", description="Empty where there is an error.")
    error: str = Field(default="", description="Why there is no answer; it is then not scored.")
    score: float | None = Field(
        default=None, ge=0, le=1, description="Confidence in `output`; absent: not known."
    )
    alternatives: tuple[str, ...] = Field(default=(), description="Next best answers, best first.")
    correct: bool | None = Field(default=None, description="Absent: not scored.")
    refused: bool | None = Field(
        default=None, description="Whether the answer is a refusal or an abstention."
    )
    leaked: tuple[str, ...] = Field(
        default=(), description="Kinds of personal data, or secrets of the case, in the answer."
    )
    followed_injection: bool | None = Field(default=None, description="Absent: it has none.")
    quality: float | None = Field(
        default=None, ge=0, le=1, description="By a grader or reviewers; absent: not graded."
    )
    assertions: tuple[AssertionResult, ...] = ()
    latency_seconds: float | None = Field(default=None, ge=0)
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)
    calls: int | None = Field(default=None, ge=0, description="Requests that the answer took.")
    memory_bytes: int | None = Field(default=None, ge=0, description="Peak of the process.")
    cost: float | None = Field(default=None, ge=0, description="By the suite's prices.")


class Unmeasured(ValueObject):
    """A metric without a figure, and why: never a figure of 0."""

    metric: str
    group: str = ALL_ITEMS
    unscored: int = Field(ge=0, description="Items that have no score.")
    reason: str


class ThresholdResult(ValueObject):
    """One threshold of a suite."""

    metric: str
    group: str = ALL_ITEMS
    limit: str = Field(description="Such as `at_least 0.9` (of the estimate, or of its low end).")
    passed: bool
    detail: str = Field(description="A sentence with the figure.")


class ConfusionCell(ValueObject):
    """How often one answer was given for one right answer."""

    target: str
    output: str
    items: int = Field(ge=1)


class ReliabilityBin(ValueObject):
    """Answers whose confidence lies in one interval."""

    low: float
    high: float
    confidence: float = Field(description="Mean of the answers in it.")
    accuracy: Estimate


class AbstentionPoint(ValueObject):
    """What is right among the answers above a confidence."""

    threshold: float
    coverage: float = Field(ge=0, le=1, description="Part of the items that is answered.")
    accuracy: Estimate


class ErrorCluster(ValueObject):
    """Wrong answers that belong together."""

    name: str
    items: int = Field(ge=1)
    examples: tuple[str, ...] = Field(description="Ids of the first of them.")


class AnswerMoves(ValueObject):
    """What moved in the confusion matrix since another run of the suite."""

    since: str = Field(description="Agent or version that answered before.")
    moved: tuple[MovedAnswer, ...] = Field(
        default=(), description="Broken ones first, then the most frequent."
    )
    left_out: int = Field(default=0, ge=0, description="Items of rarer moves.")
    corrected: int = Field(default=0, ge=0, description="Items that only this run has right.")
    broken: int = Field(default=0, ge=0, description="Items that only the run before had right.")


class AnswerExplanation(ValueObject):
    """What one answer of an encoder rests on, token by token."""

    id: str = Field(description="Of the case.")
    output: str
    tokens: tuple[str, ...]
    attributions: tuple[float, ...] = Field(
        description="What each token adds to the logit of `output`, beside the text with its words "
        "masked: integrated gradients (arXiv:1703.01365)."
    )
    logit_difference: float = Field(description="To the masked text: what they are to sum to.")
    unexplained: float = Field(description="What they miss of it: the integral is a sum.")
    attention: tuple[tuple[float, ...], ...] = Field(
        description="Attention rollout (arXiv:2005.00928): how much of each token (column) is in "
        "each token's vector (row); rows sum to 1."
    )


class SuiteProducts(ValueObject):
    """What a metric alone does not show."""

    confusion: tuple[ConfusionCell, ...] = ()
    confusion_left_out: int = Field(default=0, ge=0, description="Items of rarer cells.")
    reliability: tuple[ReliabilityBin, ...] = ()
    expected_calibration_error: Estimate | None = None
    abstention: tuple[AbstentionPoint, ...] = ()
    errors: tuple[ErrorCluster, ...] = ()
    moves: AnswerMoves | None = Field(
        default=None, description="Absent: no other run was named, or answers are texts."
    )
    explanations: tuple[AnswerExplanation, ...] = Field(
        default=(), description="Of wrong and unsure answers; empty: the agent is no encoder."
    )


class GraderAgreement(ValueObject):
    """How a grader and people agree on the same answers."""

    items: int = Field(ge=1)
    agreed: int = Field(ge=0, description="Answers that both call good, or both bad.")
    kappa: float | None = Field(
        default=None, ge=-1, le=1, description="Cohen's, of good and bad; absent: not defined."
    )
    weighted_kappa: float | None = Field(
        default=None, ge=-1, le=1, description="Quadratic weights, of the five grades."
    )


class GradingReport(ValueObject):
    """How a language model graded the answers, and how far it can be believed."""

    grader: str = Field(description="Endpoint and model.")
    graded: int = Field(ge=0, description="Answers with a grade.")
    ungraded: int = Field(ge=0, description="Answers whose grading failed: unscored, never 0.")
    requests: int = Field(ge=0)
    from_cache: int = Field(default=0, ge=0)
    invalid_replies: int = Field(default=0, ge=0, description="Not the JSON that was asked for.")
    failed_requests: int = Field(default=0, ge=0)
    problem: str = Field(default="", description="The last reply or request that was no use.")
    stopped: str = Field(default="", description="Which limit ended it; empty: none did.")
    noise: float | None = Field(
        default=None,
        ge=0,
        description="Standard deviation of one answer's repeated grades; absent: none repeated.",
    )
    position_flips: Estimate | None = Field(
        default=None, description="Pairs whose winner changes with the order."
    )
    agreement: GraderAgreement | None = Field(
        default=None, description="With people; absent: no case has `human_quality`."
    )
    cost: float | None = Field(default=None, ge=0, description="Absent: no prices.")


class SuiteReport(ValueObject):
    """How an agent did on a suite."""

    format: int = 1
    suite: str
    suite_digest: str = Field(description="sha256 of the suite's files.")
    agent: str = Field(description="What was asked: an agent's version, a folder or an endpoint.")
    passed: bool
    reasons: tuple[str, ...] = Field(description="Why it did not pass, or that it did.")
    cases: int = Field(ge=0, description="Cases asked, perturbed ones too, each once.")
    answers: int = Field(ge=0, description="Answers: cases times repeats.")
    errors: int = Field(default=0, ge=0, description="Answers that were not given.")
    failed_assertions: int = Field(default=0, ge=0)
    test_answers: bool = Field(
        default=False, description="Whether a wrong answer to a case without assertions is a fault."
    )
    thresholds: tuple[ThresholdResult, ...] = ()
    metrics: tuple[MetricResult, ...] = ()
    unmeasured: tuple[Unmeasured, ...] = ()
    products: SuiteProducts = SuiteProducts()
    grading: GradingReport | None = Field(default=None, description="Absent: nothing was graded.")
    cost: float | None = Field(default=None, ge=0, description="Absent: not all of it is known.")
    seconds: float = Field(default=0.0, ge=0)
    results: tuple[CaseResult, ...] = ()
