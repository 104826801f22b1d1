"""What the registry does on its commands."""

import pytest

from archon_contracts.events import (
    AgentConfiguration,
    DeploymentRefused,
    ModelDeployed,
    ModelRegistered,
    ModelRolledBack,
)
from archon_contracts.identifiers import new_id
from services.registry.errors import NothingToRollBackTo, UnknownVersion
from services.registry.service import RegistryService
from shared.errors import PermanentError
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON, message_of
from tests.support.messaging.outbox import RecordingOutbox
from tests.support.registry import (
    InMemoryModelStore,
    ScriptedChecks,
    deploy,
    deploy_for_job,
    limit,
    register,
    roll_back,
)
from tests.support.rollouts import rollouts_on_fakes

TX = object()


class RegistryHarness:
    """A service on fakes."""

    def __init__(self) -> None:
        self.models = InMemoryModelStore()
        self.outbox = RecordingOutbox()
        self.audit = RecordingAudit()
        self.checks = ScriptedChecks()
        parts = (self.outbox, self.audit, SetClock(NOON))
        rollouts = rollouts_on_fakes(self.models, *parts)
        self.service = RegistryService(self.models, rollouts, *parts, self.checks)

    async def register(self, times: int = 1) -> None:
        for _ in range(times):
            await self.service.register_model(TX, message_of(register()))

    async def deploy(self, *versions: str) -> None:
        for version in versions:
            await self.service.deploy_model(TX, message_of(deploy(version)))

    @property
    def configured(self) -> list[tuple[int, str]]:
        """Revision and version of each configuration sent."""
        sent = self.outbox.of(AgentConfiguration)
        return [(configuration.revision, configuration.model.version) for configuration in sent]


@pytest.fixture
def registry() -> RegistryHarness:
    return RegistryHarness()


async def test_models_of_an_agent_get_growing_versions(registry: RegistryHarness) -> None:
    await registry.register(times=3)

    registered = registry.outbox.of(ModelRegistered)
    assert [event.model.version for event in registered] == ["1.0.0", "1.1.0", "1.2.0"]


async def test_each_agent_starts_with_its_first_version(registry: RegistryHarness) -> None:
    await registry.register()
    model = await registry.service.register_model(TX, message_of(register(agent_id="other")))

    assert str(model.version) == "1.0.0"


async def test_a_job_registered_twice_keeps_its_version(registry: RegistryHarness) -> None:
    command = register(new_id())

    first = await registry.service.register_model(TX, message_of(command))
    second = await registry.service.register_model(TX, message_of(command))

    assert first == second
    assert len(registry.outbox.of(ModelRegistered)) == 2


async def test_a_deployment_configures_the_agent(registry: RegistryHarness) -> None:
    await registry.register()
    await registry.deploy("1.0.0")

    (configuration,) = registry.outbox.of(AgentConfiguration)
    (deployed,) = registry.outbox.of(ModelDeployed)
    assert configuration.model == deployed.model
    assert configuration.revision == 1
    assert deployed.previous_version is None
    assert deployed.deployed_at == NOON


async def test_a_deployment_names_the_version_it_replaced(registry: RegistryHarness) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0", "1.1.0")

    assert registry.outbox.of(ModelDeployed)[-1].previous_version == "1.0.0"


async def test_deploying_the_deployed_version_again_repeats_the_event(
    registry: RegistryHarness,
) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0", "1.1.0", "1.1.0")

    assert registry.configured == [(1, "1.0.0"), (2, "1.1.0")]
    assert registry.outbox.of(ModelDeployed)[-1].previous_version == "1.0.0"
    assert len(registry.outbox.of(ModelDeployed)) == 3


@pytest.mark.parametrize("compared_with", [None, "1.0.0"])
async def test_a_job_cannot_replace_a_version_it_was_not_compared_with(
    registry: RegistryHarness, compared_with: str | None
) -> None:
    await registry.register(times=3)
    await registry.deploy("1.0.0", "1.1.0")

    command = message_of(deploy_for_job("1.2.0", compared_with))
    await registry.service.deploy_model(TX, command)

    (refused,) = registry.outbox.of(DeploymentRefused)
    assert (refused.compared_with, refused.deployed_version) == (compared_with, "1.1.0")
    assert [version for _, version in registry.configured] == ["1.0.0", "1.1.0"]


async def test_a_job_replaces_the_version_it_was_compared_with(registry: RegistryHarness) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0")

    await registry.service.deploy_model(TX, message_of(deploy_for_job("1.1.0", "1.0.0")))

    assert registry.outbox.of(DeploymentRefused) == []
    assert [version for _, version in registry.configured] == ["1.0.0", "1.1.0"]


async def test_an_unknown_version_is_refused_with_the_known_ones(registry: RegistryHarness) -> None:
    await registry.register(times=2)

    with pytest.raises(UnknownVersion, match=r"no version '9\.9\.9'; it has 1\.1\.0, 1\.0\.0"):
        await registry.deploy("9.9.9")
    assert issubclass(UnknownVersion, PermanentError)


async def test_another_agents_version_is_unknown(registry: RegistryHarness) -> None:
    await registry.register()

    with pytest.raises(UnknownVersion, match="it has none yet"):
        await registry.service.deploy_model(TX, message_of(deploy("1.0.0", agent_id="other")))


async def test_rollbacks_go_back_one_version_at_a_time(registry: RegistryHarness) -> None:
    await registry.register(times=3)
    await registry.deploy("1.0.0", "1.1.0", "1.2.0")

    for _ in range(2):
        await registry.service.roll_back_model(TX, message_of(roll_back()))

    moves = [(e.from_version, e.model.version) for e in registry.outbox.of(ModelRolledBack)]
    assert moves == [("1.2.0", "1.1.0"), ("1.1.0", "1.0.0")]
    assert registry.configured[-1] == (5, "1.0.0")


async def test_a_rollback_can_name_its_version(registry: RegistryHarness) -> None:
    await registry.register(times=3)
    await registry.deploy("1.0.0", "1.1.0", "1.2.0")

    await registry.service.roll_back_model(TX, message_of(roll_back("1.0.0")))

    assert registry.configured[-1] == (4, "1.0.0")


async def test_a_rollback_to_the_deployed_version_changes_nothing(
    registry: RegistryHarness,
) -> None:
    await registry.register()
    await registry.deploy("1.0.0")

    await registry.service.roll_back_model(TX, message_of(roll_back("1.0.0")))

    assert registry.outbox.of(ModelRolledBack) == []
    assert len(registry.configured) == 1


@pytest.mark.parametrize(
    ("deployed", "sentence"), [((), "no deployed version"), (("1.0.0",), "before 1.0.0")]
)
async def test_a_rollback_needs_a_version_to_return_to(
    registry: RegistryHarness, deployed: tuple[str, ...], sentence: str
) -> None:
    await registry.register()
    await registry.deploy(*deployed)

    with pytest.raises(NothingToRollBackTo, match=sentence):
        await registry.service.roll_back_model(TX, message_of(roll_back()))


async def test_a_redelivered_command_gives_the_same_events(registry: RegistryHarness) -> None:
    await registry.register()
    command = message_of(deploy("1.0.0"))

    await registry.service.deploy_model(TX, command)
    before = dict(registry.outbox.events)
    await registry.service.deploy_model(TX, command)

    assert registry.outbox.events == before


async def test_a_deployment_is_recorded_with_who_and_why(registry: RegistryHarness) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0")
    command = deploy("1.1.0").model_copy(update={"requested_by": "ci (key 1)"})

    await registry.service.deploy_model(TX, message_of(command))

    recorded = registry.audit.entries[-1]
    assert (recorded.action, recorded.actor) == ("deployed", "ci (key 1)")
    assert (recorded.agent_id, recorded.subject) == ("picker", "1.1.0")
    assert recorded.reason == "the gate passed"
    assert recorded.details["previous_version"] == "1.0.0"
    published = registry.outbox.of(ModelDeployed)[-1]
    assert (published.revision, published.actor) == (2, "ci (key 1)")


async def test_a_deployment_that_is_published_again_names_its_first_actor(
    registry: RegistryHarness,
) -> None:
    await registry.register()
    first = deploy("1.0.0").model_copy(update={"requested_by": "ann (key 2)"})
    again = deploy("1.0.0").model_copy(update={"requested_by": "ben (key 3)"})

    for command in (first, again):
        await registry.service.deploy_model(TX, message_of(command))

    published = registry.outbox.of(ModelDeployed)
    assert [(each.revision, each.actor) for each in published] == [(1, "ann (key 2)")] * 2


async def test_a_command_without_a_requester_is_recorded_with_its_source(
    registry: RegistryHarness,
) -> None:
    await registry.register()

    await registry.deploy("1.0.0")

    assert [each.actor for each in registry.audit.entries] == ["unknown (source archon/test)"]


async def test_a_deployment_that_changes_nothing_is_not_recorded(registry: RegistryHarness) -> None:
    await registry.register()

    await registry.deploy("1.0.0", "1.0.0")

    assert [each.subject for each in registry.audit.entries] == ["1.0.0"]


async def test_a_rollback_is_recorded_with_who_and_why(registry: RegistryHarness) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0", "1.1.0")
    command = roll_back().model_copy(update={"requested_by": "ann (key 2)"})

    await registry.service.roll_back_model(TX, message_of(command))

    recorded = registry.audit.entries[-1]
    assert (recorded.action, recorded.actor) == ("rolled_back", "ann (key 2)")
    assert (recorded.subject, recorded.reason) == ("1.0.0", "it got worse")
    assert recorded.details["previous_version"] == "1.1.0"
    published = registry.outbox.of(ModelRolledBack)[-1]
    assert (published.revision, published.actor) == (3, "ann (key 2)")


async def test_a_refused_deployment_is_recorded_with_the_job(registry: RegistryHarness) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0")
    command = deploy_for_job("1.1.0", compared_with=None)

    await registry.service.deploy_model(TX, message_of(command))

    recorded = registry.audit.entries[-1]
    assert (recorded.action, recorded.subject) == ("deployment_refused", "1.1.0")
    assert recorded.details["job_id"] == str(command.job_id)
    assert "1.0.0 is deployed" in recorded.reason


async def test_what_an_agent_may_answer_reaches_it_with_its_present_version(
    registry: RegistryHarness,
) -> None:
    await registry.register()
    await registry.deploy("1.0.0")

    await registry.service.limit_answers(TX, message_of(limit("a", "b")))

    assert registry.configured == [(1, "1.0.0"), (2, "1.0.0")]
    allowed = registry.outbox.of(AgentConfiguration)[-1].allowed_answers
    assert allowed is not None
    assert allowed.labels == ("a", "b")


async def test_neither_a_deployment_nor_a_rollback_brings_a_withdrawn_answer_back(
    registry: RegistryHarness,
) -> None:
    await registry.register(times=2)
    await registry.deploy("1.0.0")
    await registry.service.limit_answers(TX, message_of(limit("a")))

    await registry.deploy("1.1.0")
    await registry.service.roll_back_model(TX, message_of(roll_back()))

    sent = registry.outbox.of(AgentConfiguration)
    assert [(each.revision, each.model.version) for each in sent[-2:]] == [
        (3, "1.1.0"),
        (4, "1.0.0"),
    ]
    assert all(each.allowed_answers and each.allowed_answers.labels == ("a",) for each in sent[1:])


async def test_answers_of_an_agent_without_a_version_are_kept_until_it_has_one(
    registry: RegistryHarness,
) -> None:
    await registry.service.limit_answers(TX, message_of(limit("a")))
    assert registry.configured == []

    await registry.register()
    await registry.deploy("1.0.0")

    (sent,) = registry.outbox.of(AgentConfiguration)
    assert sent.allowed_answers is not None


async def test_the_same_answers_again_change_nothing(registry: RegistryHarness) -> None:
    await registry.register()
    await registry.deploy("1.0.0")

    for _ in range(2):
        await registry.service.limit_answers(TX, message_of(limit("a")))

    assert len(registry.configured) == 2
