"""The HTTP routes of the reference server.

POST /v1/answers   {"input", "unit_id"?, "interaction_id"?}: an answer, and which weights gave it
POST /v1/feedback  {"interaction_id", "expected" | "rating" | "reward", ...}: 202 when it is safe
GET  /v1/models    the versions that answer now
GET  /healthz      200 as soon as a first model is there
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from archon_contracts.base import Identifier
from archon_contracts.client.errors import ClientError
from archon_contracts.identifiers import new_id
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from deploy.serving.answering import NO_EXPLORATION, AgentAnswers
from deploy.serving.errors import ModelFailed, ServerBusy, UnknownInteraction
from deploy.serving.exploration import ExplorationPolicy
from deploy.serving.hot_swap_model import HotSwapModel
from deploy.serving.interaction_log import InteractionLog
from deploy.serving.ports import FeedbackSender

MAX_INPUT: Final = 32_768
"""Characters; an event of 64 KiB must hold it beside the answer."""
JSON: Final = "application/json"


class AnswerRequest(BaseModel):
    """A request for an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    input: str = Field(min_length=1, max_length=MAX_INPUT)
    unit_id: Identifier | None = Field(default=None, description="User or session.")
    interaction_id: Identifier | None = Field(default=None, description="Absent: a new one.")


class AnswerServer:
    """Routes over the models and the log."""

    def __init__(
        self,
        tenant_id: str,
        agent_id: str,
        model: HotSwapModel,
        interactions: InteractionLog,
        sender: FeedbackSender,
        exploration: ExplorationPolicy = NO_EXPLORATION,
    ) -> None:
        self._model = model
        self._interactions = interactions
        self._sender = sender
        self._answers = AgentAnswers(tenant_id, agent_id, model.batcher, interactions, exploration)

    def build(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/v1/answers", self.answer, methods=["POST"]),
                Route("/v1/feedback", self.take_feedback, methods=["POST"]),
                Route("/v1/models", self.list_models),
                Route("/healthz", self.show_health),
            ]
        )

    async def answer(self, request: Request) -> Response:
        """Answer with the assigned version, and log it."""
        try:
            wanted = AnswerRequest.model_validate_json(await _body(request))
        except ValidationError as error:
            return _refuse(422, _describe(error))
        present = self._model.present
        if present is None:
            return _refuse(503, "no version is deployed yet; deploy one", retry=True)
        try:
            answer = await self._answers.answer(
                present,
                wanted.input,
                interaction_id=wanted.interaction_id or str(new_id()),
                unit_id=wanted.unit_id,
            )
        except ServerBusy as error:
            return _refuse(503, str(error), retry=True)
        except ModelFailed as error:
            return _refuse(500, str(error))
        return _json(
            {
                "interaction_id": answer.interaction_id,
                "output": answer.prediction.output,
                "score": answer.prediction.score,
                "alternatives": answer.prediction.alternatives,
                "version": answer.model.version,
                "digest": answer.model.digest,
                "experiment_id": answer.experiment_id,
            }
        )

    async def take_feedback(self, request: Request) -> Response:
        """Send feedback on an answer; what the server remembers of it is filled in."""
        try:
            stated = orjson.loads(await _body(request))
            if not isinstance(stated, dict):
                return _refuse(422, "the body is no object")
            event = self._answers.build_feedback(stated)
            event_id = await self._sender.send(event)
        except orjson.JSONDecodeError:
            return _refuse(422, "the body is not JSON")
        except ValidationError as error:
            return _refuse(422, _describe(error))
        except UnknownInteraction as error:
            return _refuse(404, str(error))
        except ClientError as error:
            return _refuse(503, f"the feedback could not be sent: {error}", retry=True)
        return _json({"event_id": str(event_id)}, 202)

    async def list_models(self, _request: Request) -> Response:
        """The versions that answer now, the deployed one first."""
        present = self._model.present
        models = [] if present is None else list(present.by_digest.values())
        revision = None if present is None else present.configuration.revision
        items = [{"version": m.version, "digest": m.digest} for m in models]
        return _json({"items": items, "revision": revision})

    async def show_health(self, _request: Request) -> Response:
        """Whether requests are answered, and what of the log is not sent."""
        ready = self._model.present is not None
        log = self._interactions
        counters = {"sent": log.sent, "unsent": log.unsent, "dropped": log.dropped}
        return _json({"ready": ready, "interactions": counters}, 200 if ready else 503)


async def _body(request: Request) -> bytes:
    """The whole body, up to the bound; what is longer is cut, and then no JSON."""
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > MAX_EVENT_BYTES:
            break
    return bytes(parts)


def _describe(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return f"{field}: {first['msg']}"


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type=JSON)


def _refuse(status: int, detail: str, *, retry: bool = False) -> Response:
    headers = {"retry-after": "1"} if retry else None
    body = orjson.dumps({"status": status, "detail": detail})
    return Response(body, status, headers, media_type="application/problem+json")
