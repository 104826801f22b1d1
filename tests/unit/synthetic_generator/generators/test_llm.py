"""Texts of a language model, by a local endpoint."""

from typing import Any

import pytest

from archon_contracts.commands import SynthesisMethod
from services.synthetic_generator.domain import Method, RejectionReason
from services.synthetic_generator.generation import generate
from services.synthetic_generator.generators.llm import LanguageModelEndpoint, parse_reply
from services.synthetic_generator.generators.selection import GenerationResources
from tests.support.data.language_model import EndpointLog, Reply, language_model, say
from tests.support.data.synthetic_generator import EXAMPLES, generation_request

TARGETS = {"restaurant": "a table", "hotel": "a room in a hotel", "train": "a train to Bern"}


def write(number: int, body: dict[str, Any]) -> tuple[int, bytes]:
    """A new text of the answer that is asked for."""
    prompt = body["messages"][0]["content"]
    words = next(words for target, words in TARGETS.items() if f'"{target}"' in prompt)
    return say(f'"please get me {words} number {number}"')


def endpoint(seen: EndpointLog, **fields: Any) -> LanguageModelEndpoint:
    values = {"timeout_seconds": 5.0, "retries": 1, "first_delay_seconds": 0.0}
    return LanguageModelEndpoint(url=seen.url, model="small", **(values | fields))


def ask(model: LanguageModelEndpoint, count: int = 6, **fields: Any):
    asked = generation_request(
        scenario_type="travel", count=count, diversity=0.0, methods=(SynthesisMethod.LLM,), **fields
    )
    return generate(asked, EXAMPLES, GenerationResources(endpoint=model))


def test_texts_are_written_beside_examples_of_their_answer() -> None:
    with language_model(write) as seen:
        result = ask(endpoint(seen, api_key="secret"))

    assert {c.method for c in result.accepted} == {Method.LLM}
    assert {c.sample.target for c in result.accepted} == set(TARGETS)
    prompt = seen.bodies[0]["messages"][0]["content"]
    assert "- " in prompt
    assert (seen.bodies[0]["model"], seen.keys) == ("small", {"Bearer secret"})


def test_no_more_requests_are_open_than_allowed() -> None:
    with language_model(write, hang_seconds=0.01) as seen:
        ask(endpoint(seen, concurrency=2), count=8)

    assert seen.most_at_once == 2


def test_what_was_replied_before_is_not_asked_for_again() -> None:
    with language_model(write) as seen:
        first = ask(endpoint(seen))
        asked = len(seen.bodies)
        known = endpoint(seen)
        model = endpoint(seen)
        ask(known)
        model.replies = dict(known.new_replies)
        again = ask(model)

    assert asked > 0
    assert len(seen.bodies) == 2 * asked
    assert (len(again.accepted), model.new_replies) == (len(first.accepted), {})


def fail_once(number: int, body: dict[str, Any]) -> tuple[int, bytes]:
    return (503, b"") if number == 0 else write(number, body)


def test_a_request_that_fails_is_tried_again() -> None:
    with language_model(fail_once) as seen:
        result = ask(endpoint(seen), count=3)

    assert len(result.accepted) == 3
    assert RejectionReason.NO_REPLY not in result.rejections


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda *_: (500, b""), RejectionReason.NO_REPLY),
        (lambda *_: (401, b"no"), RejectionReason.NO_REPLY),
        (lambda *_: (200, b"<html>"), RejectionReason.UNUSABLE_REPLY),
        (lambda *_: (200, b'{"choices": []}'), RejectionReason.UNUSABLE_REPLY),
        (lambda *_: say("?!"), RejectionReason.UNUSABLE_REPLY),
        (lambda *_: say("As an AI language model, I cannot"), RejectionReason.UNUSABLE_REPLY),
    ],
)
def test_an_endpoint_that_errs_or_says_nonsense_gives_a_stated_shortfall(
    reply: Reply, reason: RejectionReason
) -> None:
    with language_model(reply) as seen:
        result = ask(endpoint(seen))

    assert result.accepted == []
    assert result.rejections[reason] == result.rejections.total() > 0


def test_an_endpoint_that_hangs_is_soon_asked_no_more() -> None:
    with language_model(write, hang_seconds=0.2) as seen:
        result = ask(endpoint(seen, timeout_seconds=0.02, concurrency=8))

    assert result.accepted == []
    assert result.rejections.keys() == {RejectionReason.NO_REPLY}
    assert len(seen.bodies) < 20


def test_other_methods_go_on_where_the_endpoint_does_not() -> None:
    methods = (SynthesisMethod.LLM, SynthesisMethod.MUTATION)
    asked = generation_request(scenario_type="travel", count=10, methods=methods)
    with language_model(lambda *_: (500, b"")) as seen:
        result = generate(asked, EXAMPLES, GenerationResources(endpoint=endpoint(seen)))

    assert len(result.accepted) == 10
    assert result.rejections[RejectionReason.NO_REPLY] > 0


def test_without_an_endpoint_the_method_is_left_out_and_named() -> None:
    asked = generation_request(scenario_type="x", count=5, methods=(SynthesisMethod.LLM,))

    result = generate(asked, EXAMPLES)

    assert (result.accepted, result.rejections) == ([], {RejectionReason.NO_ENDPOINT: 5})


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        ("\n1. book a table\n2. book two", "book a table"),
        ("- \u201cbook a table\u201d", "book a table"),
        ("x" * 5000, None),
        ("", None),
    ],
)
def test_the_first_message_of_a_reply_counts(reply: str, text: str | None) -> None:
    assert parse_reply(reply) == text
