"""What data preparation is told and given, with as little as a test must say."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from archon_contracts.commands import DataSource, PrepareDataset, SourceKind
from archon_contracts.events import CurriculumPlan, CurriculumStage, DatasetPrepared
from archon_contracts.formats import Annotation, TrainingItem
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef
from services.data_prep.domain import Item, Targets
from services.data_prep.pipeline import PreparationInputs
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
        self.memory: dict[str, Item] = {}
        self.erased_feedback_ids: frozenset[str] = frozenset()

    async def find_dataset(self, _tx: object, dataset_id: UUID) -> DatasetPrepared | None:
        return self.datasets.get(dataset_id)

    async def lock_agent(self, _tx: object, _tenant_id: str, _agent_id: str) -> int:
        return len(self.datasets)

    async def insert_dataset(self, _tx: object, prepared: DatasetPrepared) -> None:
        self.datasets[prepared.dataset_id] = prepared

    async def read_replay_buffer(self, _tx: object, _tenant_id: str, _agent_id: str) -> list[Item]:
        return sorted(self.memory.values(), key=lambda known: known.key)

    async def upsert_replay_items(
        self, _tx: object, _tenant: str, _agent: str, found: Sequence[Item], _version: int
    ) -> None:
        self.memory |= {new.key: new for new in found}

    async def delete_replay_items(
        self, _tx: object, _tenant: str, _agent: str, found: Sequence[Item]
    ) -> None:
        for old in found:
            self.memory.pop(old.key, None)

    async def erase_feedback(
        self, _tx: object, _tenant: str, _agent: str, item_ids: Sequence[str]
    ) -> None:
        self.erased_feedback_ids |= set(item_ids)
        self.memory = {
            key: known
            for key, known in self.memory.items()
            if self.erased_feedback_ids.isdisjoint(known.feedback_ids)
        }

    async def read_erased_feedback_ids(
        self, _tx: object, _tenant: str, _agent: str
    ) -> frozenset[str]:
        return self.erased_feedback_ids
