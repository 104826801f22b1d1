"""What a suite's file says: cases, assertions on their answers, and thresholds on metrics.

Unknown fields are errors, so that a misspelled assertion is never one that always holds.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    model_validator,
)

from archon_contracts.formats import CaseCategory
from archon_contracts.rules.normal_text import clean_text
from archon_contracts.values import ALL_ITEMS

MAXIMUM_CASES: Final = 100_000
GRADED_METRIC: Final = "response_quality"
"""The one metric that a language model may decide on."""
Figure = StrictFloat | StrictInt
CaseText = Annotated[StrictStr, Field(min_length=1, max_length=200_000)]
Label = Annotated[StrictStr, Field(min_length=1, max_length=10_000), AfterValidator(clean_text)]


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return text


Pattern = Annotated[StrictStr, Field(min_length=1, max_length=1_000), AfterValidator(_is_pattern)]


class SuitePart(BaseModel):
    """A part of a suite's file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class Perturbation(StrEnum):
    """How the input of a case is changed to see whether the answer stays."""

    TYPOS = "typos"
    CASING = "casing"
    TRUNCATION = "truncation"
    DISTRACTORS = "distractors"
    PARAPHRASE = "paraphrase"  # the paraphrases that a case lists


class SimilarityAssertion(SuitePart):
    """The answer resembles a text."""

    to: CaseText
    at_least: Figure = Field(ge=0, le=1, description="sacrebleu's chrF2, 0 to 1.")


class Assertion(SuitePart):
    """One thing that an answer must fulfil; exactly one field is set."""

    equals: StrictStr | None = None
    contains: StrictStr | None = Field(default=None, min_length=1)
    not_contains: StrictStr | None = Field(default=None, min_length=1)
    one_of: Annotated[tuple[StrictStr, ...], Field(min_length=1)] | None = None
    matches: Pattern | None = None
    is_json: StrictBool | None = None
    refuses: StrictBool | None = None
    similarity: SimilarityAssertion | None = None
    max_latency_seconds: Figure | None = Field(default=None, gt=0)
    max_output_tokens: StrictInt | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _one_field(self) -> Assertion:
        if len(self.model_fields_set) != 1:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"one assertion has exactly one of {names}")
        return self

    @property
    def name(self) -> str:
        """The field that is set."""
        return next(iter(self.model_fields_set))


class SuiteCase(SuitePart):
    """One request, with what is known of a good answer."""

    id: Annotated[StrictStr, Field(min_length=1, max_length=256)]
    input: CaseText
    target: Annotated[StrictStr, AfterValidator(clean_text)] = ""
    group: Annotated[StrictStr, Field(max_length=256)] = ""
    category: CaseCategory = CaseCategory.TASK
    assertions: tuple[Assertion, ...] = ()
    paraphrases: tuple[CaseText, ...] = Field(
        default=(), description="Other ways to ask the same, for the perturbation `paraphrase`."
    )
    forbidden: tuple[CaseText, ...] = Field(
        default=(), description="Texts that an answer has only if it followed an injection."
    )
    secrets: tuple[CaseText, ...] = Field(
        default=(), description="Texts that no answer may give away."
    )
    human_quality: Figure | None = Field(
        default=None,
        ge=0,
        le=1,
        description="What people think of the answer; calibrates graders.",
    )

    @model_validator(mode="after")
    def _fits_its_category(self) -> SuiteCase:
        if self.category is CaseCategory.INJECTION and not self.forbidden:
            raise ValueError(
                "a case of category injection needs `forbidden`: what shows that the "
                "injected instruction was followed"
            )
        return self


class Refusals(SuitePart):
    """What counts as a refusal or an abstention."""

    answers: tuple[Label, ...] = Field(default=(), description="Labels or tools that mean it.")
    patterns: tuple[Pattern, ...] = Field(
        default=(), description="Regular expressions beside those for English refusals."
    )
    below_confidence: Figure | None = Field(
        default=None, gt=0, le=1, description="An answer with less confidence is an abstention."
    )


class Prices(SuitePart):
    """What an answer costs, in any one currency."""

    input_tokens_per_million: Figure = Field(default=0, ge=0)
    output_tokens_per_million: Figure = Field(default=0, ge=0)
    per_call: Figure = Field(default=0, ge=0)


class Grading(SuitePart):
    """How a language model grades the answers; who runs the suite names its endpoint."""

    rubric: CaseText
    compare_with_target: StrictBool = Field(
        default=False,
        description="Ask, in both orders, whether the answer or the case's target is better.",
    )
    repeats: StrictInt = Field(default=2, ge=1, le=10, description="The grader's noise needs two.")
    maximum_requests: StrictInt = Field(default=1_000, ge=1, le=100_000)
    maximum_cost: Figure | None = Field(default=None, gt=0, description="By `prices`.")
    prices: Prices | None = None

    @model_validator(mode="after")
    def _knows_its_cost(self) -> Grading:
        if self.maximum_cost is not None and self.prices is None:
            raise ValueError("maximum_cost needs `prices`: without them no cost is known")
        return self


class Threshold(SuitePart):
    """What a metric must reach for the suite to pass."""

    metric: Annotated[StrictStr, Field(min_length=1)]
    group: Annotated[StrictStr, Field(min_length=1)] = ALL_ITEMS
    at_least: Figure | None = None
    at_most: Figure | None = None
    of: Literal["estimate", "interval"] = Field(
        default="estimate",
        description="interval: the end of the 95 % interval that is nearer to the limit counts.",
    )

    @model_validator(mode="after")
    def _has_a_limit(self) -> Threshold:
        if self.at_least is None and self.at_most is None:
            raise ValueError("needs at_least or at_most")
        return self


class Suite(SuitePart):
    """A suite of cases that runs like tests."""

    suite: Annotated[StrictStr, Field(min_length=1, max_length=128)]
    description: StrictStr = ""
    match: Literal["exact", "text"] = Field(
        default="exact", description="text: answers equal targets but for case and spacing."
    )
    cases: tuple[SuiteCase, ...] = Field(default=(), max_length=MAXIMUM_CASES)
    cases_file: StrictStr = Field(
        default="", description="JSON Lines of items beside the file, as in a dataset."
    )
    perturbations: tuple[Perturbation, ...] = ()
    seed: StrictInt = Field(default=0, ge=0, description="Of the perturbations.")
    repeats: StrictInt = Field(default=1, ge=1, le=20, description="How often each case is asked.")
    timeout_seconds: Figure = Field(default=30.0, gt=0, le=3600, description="Of one answer [s].")
    concurrency: StrictInt = Field(default=4, ge=1, le=64, description="Requests at once.")
    system_prompt: StrictStr = Field(default="", description="For agents behind an endpoint.")
    refusals: Refusals = Refusals()
    prices: Prices | None = None
    test_answers: StrictBool = Field(
        default=True,
        description="Whether a wrong answer to a case without assertions fails a suite without "
        "thresholds.",
    )
    metrics: tuple[StrictStr, ...] = Field(default=(), description="Empty: every metric.")
    thresholds: tuple[Threshold, ...] = ()
    explanations: StrictInt = Field(
        default=5,
        ge=0,
        le=50,
        description="Wrong and unsure answers of an encoder to explain token by token.",
    )
    grading: Grading | None = Field(default=None, description="Gives `response_quality`.")

    @model_validator(mode="after")
    def _is_not_decided_by_a_grader(self) -> Suite:
        graded = [each.metric == GRADED_METRIC for each in self.thresholds]
        asserted = any(case.assertions for case in self.cases)
        if self.grading is not None and graded and all(graded) and not asserted:
            raise ValueError(
                f"a grader never decides alone: beside a threshold on {GRADED_METRIC} the suite "
                "needs one on another metric, or a case with assertions"
            )
        return self
