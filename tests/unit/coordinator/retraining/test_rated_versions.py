"""Feedback and the version that it rates: named by itself, or by the logged interaction."""

from uuid import UUID

import pytest

from archon_contracts.event_ids import event_id_of
from archon_contracts.events import InteractionLogged
from services.coordinator.domain import AgentKey
from services.coordinator.feedback.stats import StoredFeedback
from services.coordinator.retraining.rated_versions import (
    rated_interactions,
    stamp,
    with_interactions,
)
from tests.support.coordinator.coordinator import AGENT, feedback
from tests.support.messaging.messages import NOON

KEY = AgentKey("default", AGENT)


def rated(**fields: object) -> StoredFeedback:
    """A rating of the interaction i1, sent with a key."""
    body = feedback("i1", expected=None, rating=5, **fields).to_bytes()
    return StoredFeedback(UUID(int=1), "user", 5.0, NOON, body, "key:app", "i1")


def logged(**fields: object) -> InteractionLogged:
    return InteractionLogged(agent_id=AGENT, interaction_id="i1", input="what?", **fields)


def test_feedback_without_a_version_is_that_of_its_interaction() -> None:
    interaction = logged(model_version="1.2.0", propensity=0.5)
    rated_by = rated_interactions(KEY, [rated()])

    # The id that the gateway gave the interaction of the same key.
    assert rated_by == {UUID(int=1): event_id_of(interaction, "key:app")}
    kept = {event_id_of(interaction, "key:app"): interaction.to_bytes()}
    (stamped,) = with_interactions([rated()], rated_by, kept)
    assert stamp({}, stamped.interaction) == ("1.2.0", 0.5)


def test_feedback_that_names_all_asks_for_no_interaction() -> None:
    named = rated(model_version="2.0.0", propensity=1.0)

    assert rated_interactions(KEY, [named]) == {}
    assert with_interactions([named], {}, {}) == [named]


def test_a_text_that_looks_like_the_field_does_not_name_it() -> None:
    quoted = rated(input='the "model_version" and "propensity" of it')

    assert rated_interactions(KEY, [quoted]).keys() == {UUID(int=1)}


def test_an_interaction_of_another_key_is_not_taken_for_it() -> None:
    rated_by = rated_interactions(KEY, [rated()])

    assert event_id_of(logged(), "key:other") not in rated_by.values()


@pytest.mark.parametrize(
    ("body", "interaction", "expected"),
    [
        ({}, None, ("", None)),
        ({"model_version": "2"}, {"model_version": "1", "propensity": 0.5}, ("2", None)),
        ({"model_version": "1"}, {"model_version": "1", "propensity": 0.5}, ("1", 0.5)),
        ({"model_version": "1", "propensity": 0.1}, {"propensity": 0.5}, ("1", 0.1)),
        ({"propensity": 0.1}, {"model_version": "1"}, ("1", 0.1)),
    ],
)
def test_what_feedback_says_itself_counts_first(
    body: dict[str, object],
    interaction: dict[str, object] | None,
    expected: tuple[str, float | None],
) -> None:
    known = logged(**interaction).to_bytes() if interaction is not None else None

    assert stamp(body, known) == expected
