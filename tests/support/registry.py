"""The registry's store in memory, and its messages."""

from dataclasses import replace
from uuid import UUID

from archon_contracts.commands import (
    ArchiveModel,
    DeployModel,
    LimitAnswers,
    ProtectModel,
    RegisterModel,
    RetainModels,
    RollBackModel,
)
from archon_contracts.identifiers import derived_id, new_id
from archon_contracts.values import AgentKind, AllowedAnswers, ArtifactRef
from services.registry.domain import Deployment, ModelStatus, ModelVersion, SemanticVersion
from services.registry.errors import ModelUnusable

EMPTY_TENSORS = (2).to_bytes(8, "little") + b"{}"
"""A safetensors file without a tensor."""
WHOLE_MODEL = {
    "archon.json": b'{"kind": "selector", "base_model": "pypi:m", "max_length": 64}',
    "model.safetensors": EMPTY_TENSORS,
}
"""The files of a model that the registry can check, and nothing can load."""


class ScriptedChecks:
    """Satisfies the registry's `LoadChecks`; artifacts in `broken` cannot be loaded."""

    def __init__(self) -> None:
        self.broken: set[str] = set()
        self.checked: list[str] = []

    async def require_maker(self, artifact: ArtifactRef) -> None:
        if artifact.digest in self.broken:
            raise ModelUnusable(f"artifact {artifact.digest[:12]} is not signed")

    async def require_loadable(self, artifact: ArtifactRef) -> None:
        self.checked.append(artifact.digest)
        await self.require_maker(artifact)


class InMemoryModelStore:
    """Satisfies the registry's `ModelRepository`."""

    def __init__(self) -> None:
        self.models: dict[tuple[str, str, str], ModelVersion] = {}
        self.deployments: list[tuple[str, str, Deployment]] = []
        self.allowed: dict[tuple[str, str], AllowedAnswers] = {}
        self.revisions: dict[tuple[str, str], int] = {}

    async def lock_agent(self, _tx: object, tenant_id: str, agent_id: str) -> int:
        return self.revisions.get((tenant_id, agent_id), 0)

    async def find_before(
        self, _tx: object, tenant_id: str, agent_id: str, job_id: UUID
    ) -> tuple[ModelVersion | None, SemanticVersion | None]:
        found = [m for m in self.models.values() if (m.tenant_id, m.job_id) == (tenant_id, job_id)]
        highest = max((model.version for model in self._of(tenant_id, agent_id)), default=None)
        return (found[0] if found else None), highest

    async def find_with_deployed(
        self, tx: object, tenant_id: str, agent_id: str, version: str
    ) -> tuple[ModelVersion | None, ModelVersion | None]:
        named = await self.find(tx, tenant_id, agent_id, version)
        return named, await self.find_deployed(tx, tenant_id, agent_id)

    async def find(
        self, _tx: object, tenant_id: str, agent_id: str, version: str
    ) -> ModelVersion | None:
        return self.models.get((tenant_id, agent_id, version))

    async def find_deployed(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> ModelVersion | None:
        models = self._of(tenant_id, agent_id)
        deployed = [model for model in models if model.status is ModelStatus.DEPLOYED]
        return deployed[0] if deployed else None

    async def list_versions(self, _tx: object, tenant_id: str, agent_id: str) -> list[str]:
        versions = sorted((m.version for m in self._of(tenant_id, agent_id)), reverse=True)
        return [str(version) for version in versions[:10]]

    async def list_models(self, _tx: object, tenant_id: str, agent_id: str) -> list[ModelVersion]:
        return sorted(self._of(tenant_id, agent_id), key=lambda model: model.version)

    async def set_archived(self, _tx: object, model: ModelVersion) -> None:
        self._replace(model, status=ModelStatus.ARCHIVED)

    async def set_protection(self, _tx: object, model: ModelVersion, reason: str | None) -> None:
        self._replace(model, protected_reason=reason)

    def _replace(self, model: ModelVersion, **changes: object) -> None:
        key = (model.tenant_id, model.agent_id, str(model.version))
        self.models[key] = replace(self.models[key], **changes)

    async def insert(self, _tx: object, model: ModelVersion, _command: RegisterModel) -> None:
        self.models[(model.tenant_id, model.agent_id, str(model.version))] = model

    async def set_deployed(self, _tx: object, model: ModelVersion, change: Deployment) -> None:
        for key, known in self.models.items():
            if key[:2] == (model.tenant_id, model.agent_id):
                if str(known.version) == change.version:
                    self.models[key] = replace(known, status=ModelStatus.DEPLOYED)
                elif known.status is ModelStatus.DEPLOYED:
                    self.models[key] = replace(known, status=ModelStatus.READY)
        self.revisions[(model.tenant_id, model.agent_id)] = change.revision
        self.deployments.append((model.tenant_id, model.agent_id, change))

    async def find_allowed_answers(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> AllowedAnswers | None:
        return self.allowed.get((tenant_id, agent_id))

    async def set_allowed_answers(
        self, _tx: object, tenant_id: str, agent_id: str, allowed: AllowedAnswers
    ) -> None:
        self.allowed[(tenant_id, agent_id)] = allowed

    async def set_revision(self, _tx: object, tenant_id: str, agent_id: str, revision: int) -> None:
        self.revisions[(tenant_id, agent_id)] = revision

    async def list_deployments(
        self, _tx: object, tenant_id: str, agent_id: str
    ) -> list[Deployment]:
        return [d for *names, d in self.deployments if names == [tenant_id, agent_id]]

    def _of(self, tenant_id: str, agent_id: str) -> list[ModelVersion]:
        return [m for (t, a, _), m in self.models.items() if (t, a) == (tenant_id, agent_id)]


def artifact(name: str) -> ArtifactRef:
    """A reference whose digest derives from the name."""
    digest = derived_id(name).hex * 2
    return ArtifactRef(uri=f"file:///store/{digest}", digest=digest)


def register(job_id: UUID | None = None, agent_id: str = "picker") -> RegisterModel:
    """The command to register the model of a job."""
    job = job_id or new_id()
    return RegisterModel(
        agent_id=agent_id,
        job_id=job,
        kind=AgentKind.SELECTOR,
        artifact=artifact(f"model {job}"),
        dataset_id=new_id(),
        dataset=artifact(f"dataset {job}"),
        lineage={"seed": 7, "window": "w1"},
    )


def deploy(version: str, agent_id: str = "picker") -> DeployModel:
    """A person's command to make a version deployed."""
    return DeployModel(agent_id=agent_id, model_version=version, reason="the gate passed")


def deploy_for_job(version: str, compared_with: str | None) -> DeployModel:
    """A job's command, after its candidate was compared with what was deployed then."""
    return deploy(version).model_copy(update={"job_id": new_id(), "compared_with": compared_with})


def roll_back(to_version: str | None = None, agent_id: str = "picker") -> RollBackModel:
    """The command to return to an earlier version."""
    return RollBackModel(agent_id=agent_id, to_version=to_version, reason="it got worse")


def limit(*labels: str, agent_id: str = "picker") -> LimitAnswers:
    """The command that follows a profile with other labels."""
    return LimitAnswers(
        agent_id=agent_id,
        allowed_answers=AllowedAnswers(labels=labels),
        reason="a label was withdrawn",
    )


def archive(version: str, agent_id: str = "picker") -> ArchiveModel:
    """The command to keep a version for the record only."""
    return ArchiveModel(agent_id=agent_id, model_version=version, reason="superseded")


def protect(version: str, *, protected: bool = True) -> ProtectModel:
    """The command to protect a version, or not to any more."""
    return ProtectModel(
        agent_id="picker", model_version=version, protected=protected, reason="audited"
    )


def retain(keep_newest: int, days: int = 0) -> RetainModels:
    """The command to archive what is old."""
    return RetainModels(
        agent_id="picker", keep_newest=keep_newest, deployed_within_days=days, reason="tidy"
    )
