"""Trace contexts as text."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context

from archon_contracts.telemetry import TENANT_ID
from shared.telemetry.spans import (
    SpanRef,
    SystemRandomIdGenerator,
    inherit_tenant,
    links_of,
    new_span_id,
    new_trace_id,
    parse_traceparent,
    read_span_tenant,
    span_context,
)


def test_a_reference_survives_its_header() -> None:
    ref = SpanRef(new_trace_id(), new_span_id())
    assert parse_traceparent(ref.traceparent) == ref


@pytest.mark.parametrize(
    "text",
    ["", "00", "00-zz-yy-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"],
)
def test_no_context_is_read_from_rubbish(text: str) -> None:
    assert parse_traceparent(text) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    ref = parse_traceparent(text)
    assert ref is None or span_context(text) is not None


def test_links_are_distinct_and_readable() -> None:
    one = SpanRef(new_trace_id(), new_span_id()).traceparent
    assert len(links_of([one, one, "rubbish"])) == 1


@pytest.mark.parametrize(("own", "expected"), [({}, "acme"), ({TENANT_ID: "other"}, "other")])
def test_a_span_is_its_parents_tenants_unless_it_says_another(
    own: dict[str, str], expected: str
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    parent = tracer.start_span("parent", attributes={TENANT_ID: "acme"})
    context = set_span_in_context(parent)
    child = tracer.start_span("child", context=context, attributes=own)

    inherit_tenant(child, context)

    assert read_span_tenant(child) == expected


def test_a_span_draws_nothing_from_the_generator_that_a_training_seeds() -> None:
    provider = TracerProvider(id_generator=SystemRandomIdGenerator(), shutdown_on_exit=False)
    before = random.getstate()

    span = provider.get_tracer("test").start_span("epoch").get_span_context()

    assert random.getstate() == before
    assert span.is_valid
