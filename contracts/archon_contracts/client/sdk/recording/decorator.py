"""A decorator round an agent's function: each call is an interaction of the system."""

from __future__ import annotations

import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from archon_contracts.client.errors import ClientError
from archon_contracts.client.sdk.recording.recorder import InteractionRecorder
from archon_contracts.client.tracing import TraceHeaders, agent_span
from archon_contracts.events import FeedbackReceived, FeedbackSource, InteractionLogged
from archon_contracts.identifiers import new_id

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)

Version = str | Callable[[], str] | None


class UnknownAnswerError(ClientError):
    """Feedback names an answer that is not remembered here."""


class Interaction:
    """One call of an agent's function: what it was asked, and what it answered."""

    def __init__(self, agent_id: str, question: Any, unit_id: str | None) -> None:
        self.agent_id = agent_id
        self.id = str(new_id())
        self.input = question
        self.output: Any = None
        self.unit_id = unit_id
        self.version: str | None = None
        self.digest: str | None = None
        self.propensity: float | None = None

    def answered_by(
        self, version: str, *, digest: str = "", propensity: float | None = None
    ) -> None:
        """Name the version that answered, from inside of the function."""
        self.version, self.digest, self.propensity = version, digest or None, propensity


_current: ContextVar[Interaction | None] = ContextVar("archon_interaction", default=None)
_unit: ContextVar[str | None] = ContextVar("archon_unit", default=None)


def current_interaction() -> Interaction:
    """The interaction of the call that is running now.

    Raises:
        ClientError: no function of an agent is running.
    """
    found = _current.get()
    if found is None:
        raise ClientError("no function under @archon.agent(...) is running here")
    return found


@contextmanager
def use_unit(unit_id: str) -> Iterator[None]:
    """Calls within the block are of this user or session (a stable pseudonym)."""
    reset = _unit.set(unit_id)
    try:
        yield
    finally:
        _unit.reset(reset)


class AgentDecorator:
    """`@archon.agent("helpdesk")` round a function, sync or async.

    The function's first argument is the input and its result the answer, unchanged; an exception is
    logged and raised. `version` names the version that answers: a text, or a function that is asked
    at each call, such as `lambda: model.version`; the function can also name it by
    `current_interaction().answered_by(...)`. Without one the feedback is of no version.
    """

    def __init__(
        self, recorder: InteractionRecorder, agent_id: str, *, version: Version, digest: str
    ) -> None:
        self.recorder = recorder
        self.agent_id = agent_id
        self._version = version
        self._digest = digest

    def __call__(self, function: Callable[P, R]) -> AgentFunction[P, R]:
        """Wrap the function."""
        return AgentFunction(self, function)

    def begin(self, question: Any) -> Interaction:
        """An interaction that begins now, of the version that answers now."""
        made = Interaction(self.agent_id, question, _unit.get())
        version = self._version() if callable(self._version) else self._version
        if version:
            made.answered_by(version, digest=self._digest)
        return made

    def record(
        self, interaction: Interaction, seconds: float, trace: TraceHeaders, error: str
    ) -> None:
        """Log an interaction that is over; what cannot be logged never breaks the agent."""
        try:
            logged = self._build(interaction, seconds, error)
        except ValidationError as invalid:
            log.warning("an answer of %s is not logged: %s", self.agent_id, invalid)
            return
        self.recorder.add(logged, trace)

    @staticmethod
    def _build(interaction: Interaction, seconds: float, error: str) -> InteractionLogged:
        return InteractionLogged(
            agent_id=interaction.agent_id,
            interaction_id=interaction.id,
            input=_as_json(interaction.input),
            actual=_as_json(interaction.output),
            model_version=interaction.version,
            model_digest=interaction.digest,
            propensity=interaction.propensity,
            unit_id=interaction.unit_id,
            latency_seconds=seconds,
            error=error or None,
            occurred_at=datetime.now(UTC),
        )


class AgentFunction(Generic[P, R]):
    """An agent's function whose calls are logged; `last` is the newest one of this context."""

    def __init__(self, decorator: AgentDecorator, function: Callable[P, R]) -> None:
        self._decorator = decorator
        self._function = function
        self._last: ContextVar[Interaction | None] = ContextVar("archon_last", default=None)
        update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, and log the answer."""
        if inspect.iscoroutinefunction(self._function):
            # A coroutine function's result is awaitable, which the type R is then.
            return cast(R, self._awaited(*args, **kwargs))
        with self._recorded(args, kwargs) as interaction:
            result = self._function(*args, **kwargs)
            interaction.output = result
        return result

    @property
    def last(self) -> Interaction:
        """The newest call in this thread or task.

        Raises:
            UnknownAnswerError: there was none.
        """
        found = self._last.get()
        if found is None:
            raise UnknownAnswerError(
                "nothing was asked in this thread or task; name interaction_id"
            )
        return found

    # More than six parameters: they are what feedback may say, each with a name.
    def feedback(
        self,
        *,
        interaction_id: str | None = None,
        expected: Any = None,
        rating: float | None = None,
        reward: float | None = None,
        source: FeedbackSource | str = FeedbackSource.USER,
        unit_id: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> str:
        """Rate an answer, by default the newest one of this thread or task; returns its id.

        Give at least one of `expected` (the right answer), `rating` (1 to 5) and `reward`
        (-1 to 1).

        Raises:
            UnknownAnswerError: the answer is not remembered: another process gave it, or it is
                too old; send a FeedbackReceived with its input by `archon.feedback.send`.
            GatewayUnavailableError: not accepted in all attempts; sending again is safe.
            GatewayRefusedError: the gateway says what is wrong with it.
        """
        named = interaction_id or self.last.id
        answer = self._decorator.recorder.find(named)
        if answer is None:
            raise UnknownAnswerError(
                f"no answer {named[:80]!r} is remembered here; send it by archon.feedback.send"
            )
        logged = answer.interaction
        feedback = FeedbackReceived(
            agent_id=logged.agent_id,
            interaction_id=logged.interaction_id,
            input=logged.input,
            actual=logged.actual,
            expected=_as_json(expected),
            rating=rating,
            reward=reward,
            model_version=logged.model_version,
            model_digest=logged.model_digest,
            propensity=logged.propensity,
            unit_id=unit_id or logged.unit_id,
            source=FeedbackSource(source),
            context=_as_json(context or {}),
            occurred_at=datetime.now(UTC),
        )
        self._decorator.recorder.send_feedback(feedback, answer.trace)
        return named

    async def _awaited(self, *args: Any, **kwargs: Any) -> Any:
        with self._recorded(args, kwargs) as interaction:
            result = await cast(Awaitable[Any], self._function(*args, **kwargs))
            interaction.output = result
        return result

    @contextmanager
    def _recorded(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Interaction]:
        interaction = self._decorator.begin(_question(args, kwargs))
        self._last.set(interaction)
        reset = _current.set(interaction)
        began, error = time.monotonic(), ""
        with agent_span(interaction.agent_id, interaction.id) as trace:
            try:
                yield interaction
            except Exception as failure:
                error = f"{type(failure).__name__}: {failure}"[:500]
                raise
            finally:
                _current.reset(reset)
                seconds = time.monotonic() - began
                self._decorator.record(interaction, seconds, trace, error)


def _question(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What the function was asked: its one argument, or all of them by name."""
    if len(args) == 1 and not kwargs:
        return args[0]
    if not args and len(kwargs) == 1:
        return next(iter(kwargs.values()))
    return {**{str(position): value for position, value in enumerate(args)}, **kwargs}


def _as_json(value: Any) -> Any:
    """The value as JSON; what has no JSON form is its text."""
    return to_jsonable_python(value, fallback=str)
