"""Answers of an agent without a socket: models that echo, a client that keeps what is sent."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from archon_contracts.client.errors import BrokerUnavailableError
from archon_contracts.event_ids import FeedbackEvent
from archon_contracts.events import AgentConfiguration
from archon_contracts.identifiers import EventId, new_id
from archon_contracts.rollouts.experiment import Experiment
from archon_contracts.values import ArtifactRef, ModelRef
from archon_inference import Prediction
from deploy.serving.arms import list_models
from deploy.serving.hot_swap_model import HotSwapModel, LoadedModel, ServingModels

CANDIDATE = ModelRef(version="1.1.0", artifact=ArtifactRef(uri="file:///c", digest="c" * 64))
WEIGHTS = ArtifactRef(uri="file:///m", digest="a" * 64)


class EchoPredictor:
    """Answers with the text itself; `boom` fails."""

    def predict(self, inputs: Sequence[str], *, k: int = 5) -> list[Prediction]:
        if "boom" in inputs:
            raise RuntimeError("a tensor is not as it should be")
        return [Prediction(text, 0.5, ("other",)) for text in inputs]


class KeepingSender:
    """A client whose broker is there or away."""

    def __init__(self) -> None:
        self.sent: list[FeedbackEvent] = []
        self.is_away = False

    async def send(self, event: FeedbackEvent) -> EventId:
        return (await self.send_many([event]))[0]

    async def send_many(self, events: Iterable[FeedbackEvent]) -> list[EventId]:
        if self.is_away:
            raise BrokerUnavailableError("no answer")
        batch = list(events)
        self.sent += batch
        return [EventId(new_id()) for _ in batch]


def compared(mode: str, share: float) -> Experiment:
    """An experiment of 1.0.0 and the candidate."""
    return Experiment(
        experiment_id=new_id(),
        mode=mode,
        salt="s",
        control=ModelRef(version="1.0.0", artifact=WEIGHTS),
        treatment=CANDIDATE,
        treatment_share=share,
    )


def configured(
    version: str, revision: int, experiment: Experiment | None = None
) -> AgentConfiguration:
    """What the agent `picker` is to run."""
    return AgentConfiguration(
        experiment=experiment,
        tenant_id="acme",
        agent_id="picker",
        kind="classifier",
        model=ModelRef(version=version, artifact=WEIGHTS),
        revision=revision,
        reason="",
        effective_at=datetime.now(UTC),
    )


def serve_now(model: HotSwapModel, configuration: AgentConfiguration) -> None:
    """Serve echoing models under the names of the configuration's."""
    loaded = {
        ref.artifact.digest: LoadedModel(
            EchoPredictor(), ref.version, ref.artifact.digest, configuration.revision
        )
        for ref in list_models(configuration)
    }
    model._serving = ServingModels(configuration, loaded)
    model._first.set()


async def ask(model: HotSwapModel, text: str) -> tuple[str, LoadedModel]:
    """The deployed version's answer, and the version; waits until a first one is there."""
    deployed = (await model.models()).deployed
    return (await model.batcher.predict(deployed.predictor, text)).output, deployed
