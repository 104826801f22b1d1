"""Forms of policies: what is typed is checked by the rules of the API, and the rest is kept."""

import pytest

from archon_contracts.values import AgentProfile, GatePolicy, GateRequirement
from services.gateway.dashboard.policy_forms import (
    SECTIONS,
    list_changes,
    list_fields,
    read_policy,
    with_policy,
)

PROFILE = AgentProfile(agent_id="a", kind="classifier", base_model="pypi:m")


@pytest.mark.parametrize("section", SECTIONS)
def test_a_form_that_is_sent_as_it_is_changes_nothing(section: str) -> None:
    typed = {field.name: field.value for field in list_fields(section, PROFILE)}

    policy, errors = read_policy(section, PROFILE, typed)

    assert errors == {}
    assert policy is not None
    assert list_changes(section, PROFILE, policy) == []
    assert with_policy(PROFILE, section, policy) == PROFILE


@pytest.mark.parametrize(
    ("section", "field", "text"),
    [
        ("trigger", "minimum_feedback", "0"),
        ("trigger", "minimum_feedback", "many"),
        ("trigger", "minimum_feedback", ""),
        ("trigger", "minimum_feedback", "1.5"),
        ("trigger", "cooldown_seconds", "nan"),
        ("gate", "maximum_p_value", "7"),
        ("fast_path", "maximum_items", "1e9"),
        ("rollout", "mode", "<script>"),
        ("rollout", "canary_shares", "0.1, 2"),
        ("rollout", "guardrails", "maybe"),
    ],
)
def test_what_breaks_a_rule_is_named_by_its_field(section: str, field: str, text: str) -> None:
    policy, errors = read_policy(section, PROFILE, {field: text})

    assert policy is None
    assert set(errors) == {field}


def test_a_rule_over_two_fields_is_named_without_a_field() -> None:
    typed = {"minimum_feedback": "500", "maximum_feedback": "100"}

    _, errors = read_policy("trigger", PROFILE, typed)

    assert "raise maximum_feedback" in errors[""]


def test_changes_are_listed_and_applied() -> None:
    typed = {"mode": "canary", "canary_shares": "0.1, 0.5", "guardrails": "no"}

    policy, errors = read_policy("rollout", PROFILE, typed)

    assert errors == {}
    assert policy is not None
    changes = {
        each.name: (each.before, each.after) for each in list_changes("rollout", PROFILE, policy)
    }
    assert changes["canary_shares"] == ("0.05, 0.25, 0.5", "0.1, 0.5")
    assert changes["guardrails"] == ("yes", "no")
    assert with_policy(PROFILE, "rollout", policy).rollout.canary_shares == (0.1, 0.5)


def test_an_optional_field_may_be_emptied() -> None:
    profile = PROFILE.model_copy(update={"gate": GatePolicy(maximum_answer_drift=0.2)})

    policy, _ = read_policy("gate", profile, {"maximum_answer_drift": " "})

    assert isinstance(policy, GatePolicy)
    assert policy.maximum_answer_drift is None


def test_lists_that_no_field_shows_are_kept() -> None:
    gate = GatePolicy(
        requirements=(GateRequirement(metric="accuracy", kind="must_improve"),),
        never_regress=("q1",),
    )
    profile = PROFILE.model_copy(update={"gate": gate})

    policy, _ = read_policy("gate", profile, {"minimum_gain": "0.01", "requirements": "x"})

    assert isinstance(policy, GatePolicy)
    assert (len(policy.requirements), policy.never_regress) == (1, ("q1",))
