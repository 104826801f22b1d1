"""Commands and files for data preparation, with as little as a test must name."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from archon_contracts.commands import DataSource, PrepareDataset, SourceKind
from archon_contracts.events import (
    CurriculumPlan,
    CurriculumStage,
    DatasetPrepared,
    ModelDeployed,
    ModelRegistered,
    ModelRolledBack,
)
from archon_contracts.formats import Annotation, TrainingItem
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from services.data_prep.domain import Item, MemoryPart, MemoryPosition, Targets
from services.data_prep.pipeline import PreparationInputs
from services.data_prep.sampling.reference_set import ReferenceCandidate
from services.data_prep.sources.records import ParsedSource
from services.data_prep.text import normalise_input

REF = ArtifactRef(uri="file:///store/aa", digest="a" * 64)
WORDS = ("where", "is", "my", "parcel", "cancel", "the", "order", "refund", "please", "late", "7")

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
targets = st.sampled_from(("refund", "status", "cancel"))
units = st.sampled_from(("", "ann", "bob", "eve"))


def plan(replay_ratio: float = 0.0) -> CurriculumPlan:
    """One stage."""
    stage = CurriculumStage(name="all", maximum_difficulty=1.0, step_proportion=1.0)
    return CurriculumPlan(level=1, stages=(stage,), replay_ratio=replay_ratio)


def prepare_dataset(*sources: DataSource, **fields: Any) -> PrepareDataset:
    """An order for an agent's dataset."""
    values = {
        "agent_id": "picker",
        "job_id": new_id(),
        "kind": AgentKind.SELECTOR,
        "sources": sources or (DataSource(kind=SourceKind.FEEDBACK, artifact=REF, items=1),),
        "plan": plan(),
    }
    return PrepareDataset(**(values | fields))


def item(text: str, target: str = "refund", **fields: Any) -> Item:
    """An item whose id is its text."""
    values = {"id": text, "input": text, "key": normalise_input(text), "source": "feedback"}
    return Item(target=target, **(values | fields))


def record(text: Any, **fields: Any) -> TrainingItem:
    """A line of a feedback window, or of another kind of source."""
    values = {"source": "feedback", "id": f"id of {text}", "input": text}
    return TrainingItem(**(values | fields))


def annotations(*labels: str, by: Sequence[str] = ()) -> tuple[Annotation, ...]:
    """Labels, of annotators with and without names."""
    names = by or ("",) * len(labels)
    pairs = zip(names, labels, strict=True)
    return tuple(Annotation(annotator_id=name, label=label) for name, label in pairs)


def preparation_inputs(records: Sequence[TrainingItem], **fields: Any) -> PreparationInputs:
    """One source with these lines, and whatever else is given."""
    reading = ParsedSource(SourceKind.FEEDBACK, list(records), received=len(records))
    values = {"command": prepare_dataset(), "parsed_sources": [reading], "targets": Targets()}
    return PreparationInputs(**(values | fields))


@st.composite
def items(draw: st.DrawFn, maximum: int = 40) -> list[Item]:
    """Items with keys of their own."""
    inputs = draw(st.lists(texts, max_size=maximum, unique_by=normalise_input))
    return [item(text, draw(targets)) for text in inputs]


@st.composite
def records(draw: st.DrawFn, maximum: int = 30) -> list[TrainingItem]:
    """Lines of a feedback window, of a few units and of nobody; inputs may repeat, targets may
    contradict each other."""
    inputs = draw(st.lists(texts, max_size=maximum))
    return [
        record(text, id=str(number), target=draw(targets), unit=draw(units))
        for number, text in enumerate(inputs)
    ]


class FakeDatasetStore:
    """Versions and memory in dictionaries; one agent at a time."""

    def __init__(self) -> None:
        self.datasets: dict[UUID, DatasetPrepared] = {}
        self.models: dict[str, int] = {}
        self.sequences: dict[int, int] = {}
        self.vouched: set[int] = set()
        self.remembered: dict[tuple[MemoryPart, int, str], Item] = {}
        self.erased_feedback_ids: frozenset[str] = frozenset()

    @property
    def memory(self) -> dict[str, Item]:
        """What is in effect and may be replayed, by its key."""
        return {item.key: item for _, item in self._in_effect(MemoryPart.REPLAY)}

    def remember(self, known: Item) -> None:
        """Let an item be in memory, as if an earlier version had been trained on it."""
        self.sequences[0] = 0
        self.remembered[MemoryPart.REPLAY, 0, known.key] = known

    def _in_effect(self, part: MemoryPart) -> list[tuple[int, Item]]:
        found = [
            (self.sequences[version], version, item)
            for (kind, version, _), item in self.remembered.items()
            if kind is part and version in self.sequences
        ]
        return [(version, item) for _, version, item in sorted(found, key=lambda each: each[:2])]

    async def find_dataset(self, _tx: object, dataset_id: UUID) -> DatasetPrepared | None:
        return self.datasets.get(dataset_id)

    async def lock_agent(self, _tx: object, _tenant_id: str, _agent_id: str) -> int:
        return len(self.datasets)

    async def insert_dataset(self, _tx: object, prepared: DatasetPrepared) -> None:
        self.datasets[prepared.dataset_id] = prepared

    async def read_replay_buffer(self, _tx: object, _tenant_id: str, _agent_id: str) -> list[Item]:
        return sorted(self.memory.values(), key=lambda known: known.key)

    async def read_reference_candidates(
        self, _tx: object, _tenant_id: str, _agent_id: str
    ) -> list[ReferenceCandidate]:
        return [
            ReferenceCandidate(item, version, version in self.vouched)
            for version, item in self._in_effect(MemoryPart.REFERENCE)
        ]

    async def insert_remembered_items(
        self, _tx: object, prepared: DatasetPrepared, part: MemoryPart, found: Sequence[Item]
    ) -> None:
        for new in found:
            self.remembered[part, prepared.dataset_version, new.key] = new

    async def set_model_version(
        self, _tx: object, _tenant: str, _agent: str, dataset_id: UUID, model_version: str
    ) -> None:
        if dataset_id in self.datasets:
            self.models[model_version] = self.datasets[dataset_id].dataset_version

    async def find_memory_of_model(
        self, _tx: object, _tenant: str, _agent: str, model_version: str
    ) -> MemoryPosition | None:
        version = self.models.get(model_version)
        return MemoryPosition(version, self.sequences.get(version)) if version else None

    async def enter_memory(
        self, _tx: object, _tenant: str, _agent: str, version: int, *, vouched: bool
    ) -> None:
        self.sequences[version] = 1 + max(self.sequences.values(), default=0)
        self.vouched |= {version} if vouched else set()

    async def leave_memory(
        self, _tx: object, _tenant: str, _agent: str, after_sequence: int
    ) -> None:
        self.sequences = {v: n for v, n in self.sequences.items() if n <= after_sequence}

    async def delete_stale_items(self, *_args: object, **_fields: object) -> None:
        """Nothing here lives long enough to be stale."""

    async def erase_feedback(
        self, _tx: object, _tenant: str, _agent: str, item_ids: Sequence[str]
    ) -> None:
        self.erased_feedback_ids |= set(item_ids)
        self.remembered = {
            place: known
            for place, known in self.remembered.items()
            if self.erased_feedback_ids.isdisjoint(known.feedback_ids)
        }

    async def read_erased_feedback_ids(
        self, _tx: object, _tenant: str, _agent: str
    ) -> frozenset[str]:
        return self.erased_feedback_ids


def model_registered(dataset: DatasetPrepared, version: str) -> ModelRegistered:
    """The registry's event for the version that was trained on a dataset."""
    return ModelRegistered(
        tenant_id=dataset.tenant_id,
        agent_id=dataset.agent_id,
        job_id=dataset.job_id,
        model_id=new_id(),
        model=ModelRef(version=version, artifact=REF),
        dataset_id=dataset.dataset_id,
    )


def model_deployed(registered: ModelRegistered, *, by_person: bool = False) -> ModelDeployed:
    """The registry's event for its deployment, by its job or by a person."""
    return ModelDeployed(
        revision=1,
        actor="somebody",
        tenant_id=registered.tenant_id,
        agent_id=registered.agent_id,
        model=registered.model,
        reason="better",
        job_id=None if by_person else registered.job_id,
        deployed_at=datetime.now(UTC),
    )


def model_rolled_back(agent_id: str, version: str, from_version: str) -> ModelRolledBack:
    """The registry's event for a rollback."""
    return ModelRolledBack(
        revision=1,
        actor="somebody",
        agent_id=agent_id,
        model=ModelRef(version=version, artifact=REF),
        from_version=from_version,
        reason="worse",
        rolled_back_at=datetime.now(UTC),
    )
