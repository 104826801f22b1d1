"""Versions that are archived or protected, and deployments that are refused for it."""

from datetime import timedelta

import pytest

from archon_contracts.commands import RegisterModel
from archon_contracts.events import (
    AgentConfiguration,
    DeploymentRefused,
    ModelArchived,
    ModelProtected,
    ModelRegistered,
)
from archon_contracts.identifiers import new_id
from services.registry.archiving import Archiving
from services.registry.domain import ModelStatus, RetentionPolicy
from services.registry.errors import (
    ModelUnusable,
    NothingToRollBackTo,
    SameWeights,
    TargetMoved,
    VersionArchived,
    VersionInUse,
)
from services.registry.service import RegistryService
from tests.support.audit import RecordingAudit
from tests.support.clocks import SetClock
from tests.support.messaging.messages import NOON, message_of
from tests.support.messaging.outbox import RecordingOutbox
from tests.support.registry import (
    InMemoryModelStore,
    ScriptedChecks,
    archive,
    artifact,
    deploy,
    deploy_for_job,
    protect,
    register,
    retain,
    roll_back,
)
from tests.support.rollouts import rollouts_on_fakes

TX = object()
DAY = 86_400.0


class ArchivingHarness:
    """Both services on the same fakes."""

    def __init__(self, retention: RetentionPolicy | None = None) -> None:
        self.models, self.outbox = InMemoryModelStore(), RecordingOutbox()
        self.audit, self.clock = RecordingAudit(), SetClock(NOON)
        self.checks = ScriptedChecks()
        collaborators = (self.models, self.outbox, self.audit, self.clock)
        parts = (self.outbox, self.audit, self.clock)
        rollouts = rollouts_on_fakes(self.models, *parts)
        self.registry = RegistryService(self.models, rollouts, *parts, self.checks, retention)
        self.archiving = Archiving(*collaborators)

    async def register(self, times: int = 1, command: RegisterModel | None = None) -> None:
        for _ in range(times):
            await self.registry.register_model(TX, message_of(command or register()))

    async def deploy(self, *versions: str) -> None:
        for version in versions:
            await self.registry.deploy_model(TX, message_of(deploy(version)))

    async def archive(self, version: str) -> None:
        await self.archiving.archive_model(TX, message_of(archive(version)))

    async def roll_back(self, to_version: str | None = None) -> None:
        await self.registry.roll_back_model(TX, message_of(roll_back(to_version)))

    def status(self, version: str) -> ModelStatus:
        return self.models.models[("default", "picker", version)].status

    @property
    def archived(self) -> list[str]:
        return [event.version_archived for event in self.outbox.of(ModelArchived)]

    @property
    def configured(self) -> list[str]:
        return [event.model.version for event in self.outbox.of(AgentConfiguration)]


@pytest.fixture
async def harness() -> ArchivingHarness:
    made = ArchivingHarness()
    await made.register(times=3)
    return made


async def test_an_archived_version_is_published_recorded_and_deployed_no_more(
    harness: ArchivingHarness,
) -> None:
    await harness.archive("1.0.0")

    assert harness.archived == ["1.0.0"]
    assert (harness.audit.entries[-1].action, harness.audit.entries[-1].subject) == (
        "model_archived",
        "1.0.0",
    )
    with pytest.raises(VersionArchived, match=r"1\.0\.0 of agent picker is archived"):
        await harness.deploy("1.0.0")
    assert harness.configured == []


async def test_archiving_again_repeats_the_event_and_records_nothing(
    harness: ArchivingHarness,
) -> None:
    await harness.archive("1.0.0")
    await harness.archive("1.0.0")

    assert harness.archived == ["1.0.0", "1.0.0"]
    assert len(harness.audit.entries) == 1


async def test_the_deployed_version_cannot_be_archived(harness: ArchivingHarness) -> None:
    await harness.deploy("1.1.0")

    with pytest.raises(VersionInUse, match="is deployed"):
        await harness.archive("1.1.0")
    assert harness.status("1.1.0") is ModelStatus.DEPLOYED


async def test_a_protected_version_is_archived_only_after_its_protection_ended(
    harness: ArchivingHarness,
) -> None:
    await harness.archiving.protect_model(TX, message_of(protect("1.0.0")))
    with pytest.raises(VersionInUse, match=r"protected \(audited\)"):
        await harness.archive("1.0.0")

    await harness.archiving.protect_model(TX, message_of(protect("1.0.0", protected=False)))
    await harness.archive("1.0.0")

    assert [e.protected for e in harness.outbox.of(ModelProtected)] == [True, False]
    actions = [entry.action for entry in harness.audit.entries]
    assert actions == ["model_protected", "model_unprotected", "model_archived"]


async def test_a_rollback_passes_over_archived_versions(harness: ArchivingHarness) -> None:
    await harness.deploy("1.0.0", "1.1.0", "1.2.0")
    await harness.archive("1.1.0")

    await harness.roll_back()

    assert harness.configured[-1] == "1.0.0"


async def test_a_rollback_with_archived_versions_alone_before_it_is_refused(
    harness: ArchivingHarness,
) -> None:
    await harness.deploy("1.0.0", "1.1.0")
    await harness.archive("1.0.0")

    with pytest.raises(NothingToRollBackTo, match=r"before 1\.1\.0"):
        await harness.roll_back()
    with pytest.raises(VersionArchived):
        await harness.roll_back("1.0.0")
    assert harness.status("1.1.0") is ModelStatus.DEPLOYED


async def test_a_rollback_to_a_version_that_cannot_be_loaded_changes_nothing(
    harness: ArchivingHarness,
) -> None:
    await harness.deploy("1.0.0", "1.1.0")
    first = harness.models.models[("default", "picker", "1.0.0")]
    harness.checks.broken.add(first.artifact.digest)

    with pytest.raises(ModelUnusable):
        await harness.roll_back()

    assert harness.configured == ["1.0.0", "1.1.0"]
    assert harness.status("1.1.0") is ModelStatus.DEPLOYED


async def test_a_rollback_checks_the_files_of_the_version_that_it_returns_to(
    harness: ArchivingHarness,
) -> None:
    await harness.deploy("1.0.0", "1.1.0")
    harness.checks.checked.clear()

    await harness.roll_back()

    target = harness.models.models[("default", "picker", "1.0.0")]
    assert harness.checks.checked == [target.artifact.digest]


async def test_an_unsigned_version_is_not_deployed(harness: ArchivingHarness) -> None:
    model = harness.models.models[("default", "picker", "1.0.0")]
    harness.checks.broken.add(model.artifact.digest)

    with pytest.raises(ModelUnusable, match="not signed"):
        await harness.deploy("1.0.0")
    with pytest.raises(ModelUnusable, match="not signed"):
        await harness.registry.deploy_model(TX, message_of(deploy_for_job("1.0.0", None)))
    assert harness.configured == []


async def test_a_version_with_the_digest_of_the_deployed_one_is_refused() -> None:
    harness, weights = ArchivingHarness(), artifact("the same weights")
    for _ in range(2):
        command = register().model_copy(update={"artifact": weights})
        await harness.register(command=command)
    await harness.deploy("1.0.0")

    with pytest.raises(SameWeights, match=r"1\.1\.0 has the digest of the deployed 1\.0\.0"):
        await harness.deploy("1.1.0")
    await harness.registry.deploy_model(TX, message_of(deploy_for_job("1.1.0", "1.0.0")))

    (refused,) = harness.outbox.of(DeploymentRefused)
    assert "has the digest" in refused.reason
    assert harness.configured == ["1.0.0"]


async def test_a_rollback_whose_target_changes_during_its_check_is_tried_again(
    harness: ArchivingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.deploy("1.0.0", "1.1.0")

    async def deploy_another(_artifact: object) -> None:
        monkeypatch.undo()
        await harness.deploy("1.2.0")

    monkeypatch.setattr(harness.checks, "require_loadable", deploy_another)

    with pytest.raises(TargetMoved):
        await harness.roll_back()
    assert harness.configured[-1] == "1.2.0"


async def test_retention_archives_what_nothing_protects(harness: ArchivingHarness) -> None:
    await harness.register(times=4)  # up to 1.6.0
    await harness.deploy("1.0.0")
    harness.clock.move(40 * DAY)
    await harness.deploy("1.1.0")  # replaces 1.0.0 on day 40
    harness.clock.move(40 * DAY)
    await harness.deploy("1.2.0")
    harness.clock.move(1 * DAY)
    await harness.deploy("1.3.0")
    await harness.archiving.protect_model(TX, message_of(protect("1.4.0")))

    expired = await harness.archiving.retain_models(TX, message_of(retain(1, days=30)))

    # 1.3.0 is deployed, 1.2.0 the one before, 1.1.0 was deployed until yesterday, 1.4.0 is
    # named and 1.6.0 the newest.
    assert [str(model.version) for model in expired] == ["1.0.0", "1.5.0"]
    assert harness.archived == ["1.0.0", "1.5.0"]


async def test_an_installation_that_keeps_few_versions_archives_at_registration() -> None:
    policy = RetentionPolicy(keep_newest=2, deployed_within=timedelta(days=1))
    harness = ArchivingHarness(policy)

    await harness.register(times=4)

    assert harness.archived == ["1.0.0", "1.1.0"]


async def test_the_registration_says_what_a_version_was_made_from() -> None:
    harness, command = ArchivingHarness(), register(new_id())

    await harness.register(command=command)

    (event,) = harness.outbox.of(ModelRegistered)
    assert (event.lineage, event.dataset, event.kind) == (
        command.lineage,
        command.dataset,
        command.kind,
    )
    assert event.registered_at == NOON
