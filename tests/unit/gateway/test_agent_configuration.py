"""What is checked of an agent, and the command that configures it."""

import pytest
from pydantic import ValidationError

from archon_contracts.commands import (
    ConfigureAgent,
)
from archon_contracts.values import AgentProfile
from services.gateway.auth.request_identity import identify_request
from services.gateway.domain import AgentView
from services.gateway.errors import Conflict, Invalid
from services.gateway.requests import AgentRequest, JobRequest
from services.gateway.routes.agents import check_change
from services.gateway.service import (
    check_base_model,
    check_kind,
)
from tests.support.gateway.gateway_service import (
    CALLER,
    ITEMS,
    WRITER,
    selector,
    service,
)


async def test_an_agent_is_configured_for_the_callers_tenant() -> None:
    gateway, outbox = await service()

    await gateway.configure_agent(
        None, identify_request(CALLER), selector(evaluation_dataset="suite"), ITEMS
    )

    (command,) = outbox.of(ConfigureAgent)
    assert command.tenant_id == "acme"
    assert command.profile.evaluation_suite == command.profile.catalogue == ITEMS


def test_max_steps_of_a_training_is_bounded() -> None:
    JobRequest(agent_id="a", method="supervised", config={"max_steps": 100_000})

    with pytest.raises(ValidationError, match="max_steps"):
        JobRequest(agent_id="a", method="supervised", config={"max_steps": 100_001})
    with pytest.raises(ValidationError, match="max_steps"):
        selector(training={"max_steps": 100_001})


async def test_only_the_operator_may_name_a_folder_as_base_model() -> None:
    gateway, outbox = await service()
    request_body = selector(base_model="file:///srv/models/encoder")

    await gateway.configure_agent(None, identify_request(CALLER), request_body, ITEMS)
    with pytest.raises(Invalid, match="ask the operator") as refusal:
        await gateway.configure_agent(None, identify_request(WRITER), request_body, ITEMS)

    assert [error.field for error in refusal.value.errors] == ["base_model"]
    assert len(outbox.of(ConfigureAgent)) == 1


@pytest.mark.parametrize("uri", ["FILE:///etc", " file:///etc", "fi\tle:/etc", "file:etc"])
def test_other_spellings_of_a_folder_are_refused_too(uri: str) -> None:
    with pytest.raises(Invalid, match="operate"):
        check_base_model(uri, WRITER)


@pytest.mark.parametrize("uri", ["pypi:this.x", "pypi:../x", "pypi:", "m", "hub:a/b", "http://["])
def test_an_invalid_base_model_is_refused_with_its_field(uri: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_base_model(uri, CALLER)

    assert [error.field for error in refusal.value.errors] == ["base_model"]


async def test_a_training_dataset_is_refused_as_evaluation_suite() -> None:
    gateway, _ = await service()

    with pytest.raises(Invalid, match="for training, not for evaluation"):
        await gateway.configure_agent(
            None, identify_request(CALLER), selector(evaluation_dataset="learn"), ITEMS
        )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"catalogue": []}, "catalogue"),
        ({"catalogue": [{"name": "x"}, {"name": "x"}]}, "catalogue"),
        ({"kind": "classifier", "catalogue": []}, "labels"),
        ({"kind": "classifier", "catalogue": [], "labels": ["x", "y", "x"]}, "labels"),
    ],
)
def test_each_kind_of_agent_requires_its_fields(fields: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_kind(selector(**fields))

    assert refused.value.errors[0].field == field


def test_a_misspelt_policy_is_refused_instead_of_becoming_the_default() -> None:
    with pytest.raises(ValidationError, match="minimum_feedbak"):
        selector(trigger={"minimum_feedbak": 5})


def test_a_body_that_names_the_caller_is_refused() -> None:
    with pytest.raises(ValidationError, match="requested_by"):
        selector(requested_by="somebody else")


async def test_a_profile_that_is_too_large_to_be_sent_on_is_refused_at_once() -> None:
    gateway, outbox = await service()
    labels = [f"{number} {'x' * 400}" for number in range(1_000)]
    body = AgentRequest(agent_id="a", kind="classifier", base_model="pypi:m", labels=labels)

    with pytest.raises(Invalid, match=r"400000 are allowed; send fewer or shorter labels \(1000"):
        await gateway.configure_agent(None, identify_request(CALLER), body, None)

    assert outbox.of(ConfigureAgent) == []
    with pytest.raises(ValidationError, match="20000 items"):
        selector(labels=["x"] * 20_001)


def deployed_agent(**fields: object) -> AgentView:
    profile = AgentProfile(agent_id="a", kind="selector", base_model="pypi:m")
    values = {"agent_id": "a", "kind": "selector", "base_model": "pypi:m", "profile": profile}
    return AgentView(**(values | {"deployed_version": "1.0.0"} | fields))


@pytest.mark.parametrize("change", [{"base_model": "pypi:other"}, {"kind": "classifier"}])
def test_an_agent_with_a_deployed_version_keeps_its_kind_and_base_model(
    change: dict[str, object],
) -> None:
    with pytest.raises(Conflict, match=r"version 1\.0\.0 of agent a is deployed, a selector"):
        check_change(selector(**change), deployed_agent())

    check_change(selector(**change), deployed_agent(deployed_version=None))
    check_change(selector(), deployed_agent())
    check_change(selector(**change), None)
