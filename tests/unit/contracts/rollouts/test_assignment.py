"""Who is served by which version."""

import hashlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from archon_contracts.events import AgentConfiguration
from archon_contracts.rollouts.assignment import is_in_treatment
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.rules.rollout_policy import RolloutMode
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from tests.support.messaging.messages import NOON

CONTROL = ModelRef(version="1.0.0", artifact=ArtifactRef(uri="file:///a", digest="a" * 64))
TREATMENT = ModelRef(version="1.1.0", artifact=ArtifactRef(uri="file:///b", digest="b" * 64))


def experiment(
    share: float = 0.5, salt: str = "salt", mode: RolloutMode = RolloutMode.AB_TEST
) -> Experiment:
    return Experiment(
        experiment_id=UUID(int=7),
        mode=mode,
        salt=salt,
        control=CONTROL,
        treatment=TREATMENT,
        treatment_share=share,
    )


def configuration(running: Experiment | None) -> AgentConfiguration:
    return AgentConfiguration(
        agent_id="picker",
        kind=AgentKind.CLASSIFIER,
        model=CONTROL,
        revision=3,
        experiment=running,
        reason="",
        effective_at=NOON,
    )


def test_the_hash_is_the_documented_one() -> None:
    """The part of 2^64 that a unit's hash is decides at which share it moves to the treatment."""
    parts = [
        int.from_bytes(hashlib.sha256(f"salt\0unit\0{unit}".encode()).digest()[:8], "big") / 2**64
        for unit in ("u1", "u2")
    ]

    for unit, part in zip(("u1", "u2"), parts, strict=True):
        assert is_in_treatment(experiment(min(part + 1e-9, 0.999)), unit_id=unit)
        assert not is_in_treatment(experiment(max(part - 1e-9, 0.001)), unit_id=unit)


@given(st.text(min_size=1, max_size=40), st.floats(0.01, 0.98), st.floats(0.001, 0.9))
def test_a_growing_share_takes_no_unit_back(unit: str, share: float, more: float) -> None:
    grown = min(share + more, 0.99)

    if is_in_treatment(experiment(share), unit_id=unit):
        assert is_in_treatment(experiment(grown), unit_id=unit)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_units_are_divided_as_the_share_says(share: float) -> None:
    chosen = sum(is_in_treatment(experiment(share), unit_id=f"user-{n}") for n in range(4000))

    assert binomtest(chosen, 4000, share).pvalue > 1e-3


def test_another_salt_divides_anew() -> None:
    same = sum(
        is_in_treatment(experiment(salt="one"), unit_id=str(n))
        == is_in_treatment(experiment(salt="two"), unit_id=str(n))
        for n in range(2000)
    )

    assert binomtest(same, 2000, 0.5).pvalue > 1e-3


def test_a_unit_counts_before_the_interaction() -> None:
    found = {
        configuration(experiment()).assign(unit_id="u", interaction_id=str(n)).model.version
        for n in range(50)
    }

    assert len(found) == 1


def test_traffic_without_units_is_divided_by_interaction() -> None:
    found = {
        configuration(experiment()).assign(interaction_id=str(n)).model.version for n in range(50)
    }

    assert found == {"1.0.0", "1.1.0"}


def test_without_an_experiment_everybody_gets_the_deployed_version() -> None:
    assigned = configuration(None).assign()

    assert (assigned.model, assigned.experiment_id, assigned.shadow) == (CONTROL, None, None)


def test_a_shadow_answers_unseen() -> None:
    running = configuration(experiment(mode=RolloutMode.SHADOW))
    assigned = [running.assign(unit_id=str(n)) for n in range(50)]

    assert {each.model for each in assigned} == {CONTROL}
    assert {each.shadow for each in assigned} == {None, TREATMENT}


def test_nobody_can_be_assigned_without_an_id() -> None:
    with pytest.raises(ValueError, match="unit_id, or interaction_id"):
        configuration(experiment()).assign(unit_id="", interaction_id="")
