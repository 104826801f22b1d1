"""Answers of a candidate that nobody sees: logged as a shadow's, so that none is feedback."""

from __future__ import annotations

import asyncio
import logging
import time

from archon_contracts.events import InteractionLogged
from archon_contracts.traffic_classes import TrafficClass, internal_interaction_id
from archon_inference import InferenceError
from deploy.serving.batcher import MicroBatcher
from deploy.serving.errors import ServerBusy
from deploy.serving.hot_swap_model import LoadedModel
from deploy.serving.interaction_log import InteractionLog

log = logging.getLogger(__name__)


class ShadowAnswers:
    """Asks beside the answer that users get, which never waits for it."""

    def __init__(
        self,
        tenant_id: str,
        agent_id: str,
        batcher: MicroBatcher,
        interactions: InteractionLog,
    ) -> None:
        self._tenant_id, self._agent_id = tenant_id, agent_id
        self._batcher = batcher
        self._interactions = interactions
        self._asking: set[asyncio.Task[None]] = set()

    def ask(self, model: LoadedModel, text: str, interaction_id: str) -> None:
        """Let the candidate answer, some time soon."""
        task = asyncio.get_running_loop().create_task(self._ask(model, text, interaction_id))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _ask(self, model: LoadedModel, text: str, interaction_id: str) -> None:
        started = time.perf_counter()
        actual, failure = None, None
        try:
            actual = (await self._batcher.predict(model.predictor, text)).output
        except ServerBusy:
            return  # users come first
        except (InferenceError, RuntimeError, ValueError) as error:
            failure = type(error).__name__
            log.warning("the shadow %s failed: %s", model.version, error)
        self._interactions.add(
            InteractionLogged(
                tenant_id=self._tenant_id,
                agent_id=self._agent_id,
                interaction_id=internal_interaction_id(
                    TrafficClass.SHADOW, self._agent_id, interaction_id
                ),
                input=text,
                actual=actual,
                error=failure,
                model_version=model.version,
                model_digest=model.digest,
                latency_seconds=time.perf_counter() - started,
                traffic_class=TrafficClass.SHADOW,
            )
        )
