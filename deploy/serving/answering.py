"""Answers of the assigned version: what the HTTP server and the demo's agent have in common.

Every answer, and feedback on it, carries the version and the digest of the weights that gave it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_inference import InferenceError, Prediction
from deploy.serving.batcher import MicroBatcher
from deploy.serving.errors import ModelFailed
from deploy.serving.exploration import ChosenAnswer, ExplorationPolicy, choose_answer
from deploy.serving.hot_swap_model import LoadedModel, ServingModels
from deploy.serving.interaction_log import InteractionLog
from deploy.serving.shadow import ShadowAnswers

NO_EXPLORATION: Final = ExplorationPolicy()

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AssignedAnswer:
    """An answer, the weights that gave it, and the experiment that assigned them, if one runs."""

    interaction_id: str
    prediction: Prediction
    model: LoadedModel
    experiment_id: str | None


class AgentAnswers:
    """Answers requests of one agent, and logs each as an interaction; used from one event loop."""

    def __init__(
        self,
        tenant_id: str,
        agent_id: str,
        batcher: MicroBatcher,
        interactions: InteractionLog,
        exploration: ExplorationPolicy = NO_EXPLORATION,
    ) -> None:
        self._exploration = exploration
        self._names: dict[str, Any] = {"tenant_id": tenant_id, "agent_id": agent_id}
        self._batcher = batcher
        self._interactions = interactions
        self._shadow = ShadowAnswers(tenant_id, agent_id, batcher, interactions)

    async def answer(
        self, models: ServingModels, text: str, *, interaction_id: str, unit_id: str | None = None
    ) -> AssignedAnswer:
        """The answer of the version that `models` assigns to the unit, else to the interaction.

        `models` are those of one moment: an arm that is removed meanwhile still answers.

        Raises:
            ServerBusy: too many requests wait; nothing is logged.
            ModelFailed: the model failed on this input, which is logged as an error.
        """
        started = time.perf_counter()
        assignment = models.configuration.assign(unit_id=unit_id, interaction_id=interaction_id)
        model = models.find(assignment.model)
        shadow = models.find_shadow(assignment.shadow)
        if shadow is not None:
            self._shadow.ask(shadow, text, interaction_id)
        try:
            found = await self._batcher.predict(model.predictor, text)
        except (InferenceError, RuntimeError, ValueError) as error:
            log.warning("version %s failed on an input: %s", model.version, error)
            self._log(text, interaction_id, unit_id, model, started, error=type(error).__name__)
            raise ModelFailed("the model failed on this input; its log says why") from error
        chosen = choose_answer(found, self._exploration, interaction_id)
        self._log(text, interaction_id, unit_id, model, started, answer=chosen)
        return AssignedAnswer(interaction_id, chosen.prediction, model, assignment.experiment_id)

    def build_feedback(self, stated: Mapping[str, Any]) -> FeedbackReceived:
        """Feedback as it was stated; without an `input`, with what is remembered of the answer.

        Raises:
            UnknownInteraction: no `input` is stated, and users saw no such answer.
            pydantic.ValidationError: a field is missing or wrong.
        """
        fields = {**stated, **self._names}
        if "input" not in stated:
            known = self._interactions.find(str(stated.get("interaction_id", "")))
            remembered = known.model_dump(
                include={
                    "input",
                    "actual",
                    "model_version",
                    "model_digest",
                    "unit_id",
                    "propensity",
                },
                exclude_none=True,
            )
            fields = remembered | fields
        return FeedbackReceived.model_validate(fields)

    def _log(
        self,
        text: str,
        interaction_id: str,
        unit_id: str | None,
        model: LoadedModel,
        started: float,
        *,
        answer: ChosenAnswer | None = None,
        error: str | None = None,
    ) -> None:
        self._interactions.add(
            InteractionLogged(
                **self._names,
                interaction_id=interaction_id,
                input=text,
                actual=answer.prediction.output if answer else None,
                propensity=answer.propensity if answer else None,
                error=error,
                unit_id=unit_id,
                model_version=model.version,
                model_digest=model.digest,
                latency_seconds=time.perf_counter() - started,
            )
        )
