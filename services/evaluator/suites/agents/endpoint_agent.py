"""An agent behind an OpenAI-compatible HTTP endpoint. httpx is imported here: children and the CLI.

Source of the request: POST /chat/completions of the OpenAI API, which vLLM, llama.cpp, Ollama and
`transformers serve` answer too.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from archon_contracts.rules.redaction import without_credentials
from services.evaluator.errors import AgentUnusable
from services.evaluator.suites.answers import Answer
from services.evaluator.suites.ports import Progress

CHAT_PATH: Final = "/chat/completions"
ATTEMPTS: Final = 3
"""Of a request that is refused for a moment: 429, 502, 503, 504, or a connection that breaks."""
BACKOFF_SECONDS: Final = 0.2
MAXIMUM_ANSWER_BYTES: Final = 4 * 1024 * 1024
FAILURES_TO_STOP: Final = 20
"""Requests in a row that fail before the rest is not asked: a suite of thousands on an endpoint
that hangs would take days."""
_TRANSIENT: Final = frozenset({429, 502, 503, 504})


class EndpointFailure(Exception):
    """One request got no usable answer; the message is the case's error."""


@dataclass(slots=True)
class Attempts:
    """What became of the attempts of one request so far."""

    calls: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask, and how."""

    url: str
    model: str = ""
    api_key: str = ""
    system_prompt: str = ""
    timeout_seconds: float = 30.0
    """Of one answer, all attempts together."""
    concurrency: int = 4
    maximum_tokens: int = 1_024


class EndpointAgent:
    """Asks an endpoint, several requests at once."""

    def __init__(
        self,
        endpoint: Endpoint,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        option: str = "--agent",
    ) -> None:
        """`option` names the URL in messages.

        Raises:
            AgentUnusable: the URL is none of http or https.
        """
        try:
            url = httpx.URL(endpoint.url)
        except httpx.InvalidURL as error:
            raise AgentUnusable(f"{option} is no URL: {error}.") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise AgentUnusable(
                f"{option} must be an http or https URL, such as http://host:8000/v1."
            )
        path = url.path.rstrip("/")
        self._url = url.copy_with(path=path if path.endswith(CHAT_PATH) else path + CHAT_PATH)
        self._endpoint = endpoint
        self._transport = transport
        self._failures = 0

    @property
    def name(self) -> str:
        """The URL without credentials, and the model."""
        model = f" ({self._endpoint.model})" if self._endpoint.model else ""
        return without_credentials(str(self._url)) + model

    def explain(self, case_id: str, text: str, output: str) -> None:
        """Nothing: an endpoint gives answers alone."""

    def answer(self, inputs: Sequence[str], progress: Progress) -> list[Answer]:
        """One answer per input, in order; a request that fails is an answer with an error."""
        return asyncio.run(self._answer_all(inputs, progress))

    async def _answer_all(self, inputs: Sequence[str], progress: Progress) -> list[Answer]:
        key = self._endpoint.api_key
        slots, done = asyncio.Semaphore(self._endpoint.concurrency), 0
        async with httpx.AsyncClient(
            transport=self._transport,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self._endpoint.timeout_seconds,
        ) as client:

            async def ask(text: str) -> Answer:
                nonlocal done
                async with slots:
                    answer = await self._ask(client, text)
                done += 1
                progress(done)
                return answer

            return list(await asyncio.gather(*(ask(text) for text in inputs)))

    async def _ask(self, client: httpx.AsyncClient, text: str) -> Answer:
        if self._failures >= FAILURES_TO_STOP:
            return Answer(error=f"not asked: {FAILURES_TO_STOP} requests in a row had failed")
        limit, started = self._endpoint.timeout_seconds, time.perf_counter()
        attempts = Attempts()
        try:
            async with asyncio.timeout(limit):
                body = await self._request(client, text, attempts)
            answer = _read_answer(body)
        except TimeoutError:
            why = f": {attempts.problem}" if attempts.problem else ""
            error = f"no answer within {limit:g} s{why}"
        except EndpointFailure as failure:
            error = str(failure)
        else:
            self._failures = 0
            return Answer(
                output=answer[0],
                input_tokens=answer[1],
                output_tokens=answer[2],
                latency_seconds=time.perf_counter() - started,
                calls=attempts.calls,
            )
        self._failures += 1
        spent = time.perf_counter() - started
        return Answer(error=error, latency_seconds=spent, calls=attempts.calls)

    async def _request(self, client: httpx.AsyncClient, text: str, attempts: Attempts) -> bytes:
        """The body of a 200, after as many attempts as it takes; notes them in `attempts`."""
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(BACKOFF_SECONDS * 2**attempt)
            attempts.calls += 1
            try:
                async with client.stream(
                    "POST", self._url, json=self._build_body(text)
                ) as response:
                    if response.status_code == httpx.codes.OK:
                        return await _read_bounded(response)
                    attempts.problem = f"the endpoint answered {response.status_code}"
                    if response.status_code not in _TRANSIENT:
                        break
            except httpx.TimeoutException as error:
                raise TimeoutError from error
            except httpx.HTTPError as error:
                attempts.problem = (
                    f"the endpoint cannot be reached: {str(error) or type(error).__name__}"
                )
        raise EndpointFailure(attempts.problem)

    def _build_body(self, text: str) -> dict[str, Any]:
        messages = [{"role": "user", "content": text}]
        if self._endpoint.system_prompt:
            messages.insert(0, {"role": "system", "content": self._endpoint.system_prompt})
        body: dict[str, Any] = {
            "messages": messages,
            "temperature": 0,
            "max_tokens": self._endpoint.maximum_tokens,
        }
        return body | ({"model": self._endpoint.model} if self._endpoint.model else {})


async def _read_bounded(response: httpx.Response) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > MAXIMUM_ANSWER_BYTES:
            raise EndpointFailure(f"the answer is longer than {MAXIMUM_ANSWER_BYTES} bytes")
    return bytes(content)


def _read_answer(body: bytes) -> tuple[str, int | None, int | None]:
    """The text, and the tokens of request and answer where they are said."""
    try:
        answer = json.loads(body)
        text = answer["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise EndpointFailure("the answer has no choices[0].message.content") from error
    if not isinstance(text, str):
        raise EndpointFailure("choices[0].message.content of the answer is no text")
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return text, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
