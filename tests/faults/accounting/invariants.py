"""What must be true of all services' tables once nothing moves any more.

The client_log says what was sent; this says that the services agree about what came of it: windows
with their feedback, jobs with windows, models and deployments, and every message with the inbox
of every service that listens to it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator, Collection
from functools import cache

import orjson

from archon_contracts.envelope import HeaderView
from archon_contracts.topics import SERVICES
from shared.messaging.outbox import decode_headers
from tests.faults.brokers.servers import Reader
from tests.faults.waiting import until
from tests.support.built import built

RULES = {
    "windows that do not hold what they say": """
SELECT w.window_id FROM coordinator.windows w
LEFT JOIN (
    SELECT window_id, event_id FROM coordinator.feedback
    UNION ALL
    SELECT window_id, event_id FROM coordinator.window_returns
) f USING (window_id)
GROUP BY w.window_id, w.feedback_count, w.feedback_digest
HAVING count(f.event_id) <> w.feedback_count OR w.feedback_digest <> encode(sha256(convert_to(
    coalesce(string_agg(f.event_id::text, E'\n' ORDER BY f.event_id), ''), 'UTF8')), 'hex')
""",
    "windows without their one job": """
SELECT w.window_id FROM coordinator.windows w
LEFT JOIN coordinator.jobs j ON j.facts->'window'->>'window_id' = w.window_id::text
GROUP BY w.window_id HAVING count(j.job_id) <> 1
""",
    "feedback events in a window that does not exist": """
SELECT f.event_id FROM coordinator.feedback f LEFT JOIN coordinator.windows w USING (window_id)
WHERE f.window_id IS NOT NULL AND w.window_id IS NULL
""",
    "counters that miscount the unused feedback events": """
SELECT t.agent_id FROM coordinator.feedback_stats t
LEFT JOIN coordinator.feedback f
  ON f.agent_no = t.agent_no AND f.window_id IS NULL AND f.retracted_at IS NULL
  AND f.waiting_for IS NULL
GROUP BY t.agent_no, t.agent_id, t.unused, t.rated
HAVING count(f.event_id) <> t.unused OR count(f.rating) <> t.rated
""",
    "windows whose job is over and of which nobody says what became": """
SELECT w.window_id FROM coordinator.windows w
JOIN coordinator.jobs j ON j.facts->'window'->>'window_id' = w.window_id::text
WHERE w.outcome IS NULL AND j.state IN ('completed', 'rejected', 'failed', 'cancelled')
""",
    "feedback events that two deployed versions learnt as new": """
SELECT f.event_id FROM coordinator.feedback f
JOIN coordinator.windows held ON held.window_id = f.window_id AND held.outcome = 'learnt'
JOIN coordinator.window_returns r ON r.event_id = f.event_id
JOIN coordinator.windows former ON former.window_id = r.window_id AND former.outcome = 'learnt'
""",
    "jobs that did not end": """
SELECT job_id FROM coordinator.jobs
WHERE state NOT IN ('completed', 'rejected', 'failed', 'cancelled')
""",
    "jobs that ended more or less than once": """
SELECT job_id FROM coordinator.job_history GROUP BY job_id
HAVING count(*) FILTER (WHERE to_state IN ('completed', 'rejected', 'failed', 'cancelled')) <> 1
""",
    "jobs with a gap in their history": """
SELECT job_id FROM (
    SELECT job_id, from_state, lag(to_state) OVER life AS came_from
    FROM coordinator.job_history WINDOW life AS (PARTITION BY job_id ORDER BY version)
) AS steps WHERE came_from <> from_state
""",
    "completed jobs without their one model and one deployment": """
SELECT j.job_id FROM coordinator.jobs j
LEFT JOIN registry.models m USING (job_id)
LEFT JOIN registry.deployments d ON d.job_id = j.job_id
WHERE j.state = 'completed'
GROUP BY j.job_id HAVING count(DISTINCT m.model_id) <> 1 OR count(DISTINCT d.revision) <> 1
""",
    "deployments of a job that did not complete": """
SELECT d.job_id FROM registry.deployments d JOIN coordinator.jobs j USING (job_id)
WHERE j.state <> 'completed'
""",
    "agents whose deployed version services disagree about": """
SELECT agent_id FROM registry.models m
LEFT JOIN coordinator.agents a USING (tenant_id, agent_id)
LEFT JOIN gateway.models g USING (tenant_id, agent_id, version)
WHERE m.status = 'deployed'
  AND (a.deployed->>'version' IS DISTINCT FROM m.version OR g.status IS DISTINCT FROM 'deployed')
""",
    "jobs of which the gateway shows another state": """
SELECT j.job_id FROM coordinator.jobs j LEFT JOIN gateway.jobs g USING (job_id)
WHERE g.state IS DISTINCT FROM j.state
""",
    "trainings that nobody closed": """
SELECT t.job_id FROM trainer.trainings t WHERE t.state = 'accepted'
""",
}
UNSENT = "SELECT event_id::text FROM {schema}.outbox WHERE published_at IS NULL"
UNDONE = "SELECT id::text FROM {schema}.work WHERE state IN ('queued', 'leased')"
SENT = "SELECT event_id::text, topic, headers::text FROM {schema}.outbox"
TAKEN = "SELECT event_id::text FROM {schema}.inbox"


async def broken_rules(
    reader: Reader, *, timeout: float, services: Collection[str] = SERVICES
) -> list[str]:
    """Wait until every rule holds; returns a sentence for each that still does not.

    Where not all services run, only what concerns those `services` is asked.
    """
    found = ["the database did not answer"]

    async def all_hold() -> bool:
        found[:] = await breaches(reader, services)
        return not found

    await until(all_hold, timeout=timeout)
    return found


async def breaches(reader: Reader, services: Collection[str] = SERVICES) -> list[str]:
    """One look: a sentence for each rule that does not hold at this moment."""
    return [problem async for problem in _problems(reader, services)]


async def _problems(reader: Reader, services: Collection[str]) -> AsyncIterator[str]:
    for rule, query in RULES.items():
        if not services_of(query) <= set(services):
            continue
        if rows := await reader.fetch(query):
            yield f"{len(rows)} {rule}, such as {rows[0][0]}"
    for service in services:
        for name, query in (("unsent messages", UNSENT), ("pieces of open work", UNDONE)):
            if rows := await reader.fetch(query.format(schema=service)):
                yield f"{len(rows)} {name} of {service}"
    for (service, type_name), count in (await _untaken(reader, services)).items():
        yield f"{count} of {type_name} never reached the inbox of {service}"


def services_of(query: str) -> set[str]:
    """The services whose tables a rule reads."""
    return {service for service in SERVICES if re.search(rf"\b{service}\.", query)}


async def _untaken(reader: Reader, services: Collection[str]) -> Counter[tuple[str, str]]:
    """Messages that a service listens to and has not taken, by service and type."""
    taken = {
        service: {row["event_id"] for row in await reader.fetch(TAKEN.format(schema=service))}
        for service in services
    }
    missing: Counter[tuple[str, str]] = Counter()
    for service in services:
        for row in await reader.fetch(SENT.format(schema=service)):
            headers = HeaderView.of(decode_headers(orjson.loads(row["headers"])))
            type_name = headers.text("ce_type")
            for listener in listeners().get((row["topic"], type_name), set()) & set(services):
                if row["event_id"] not in taken[listener]:
                    missing[listener, type_name] += 1
    return missing


@cache
def listeners() -> dict[tuple[str, str], set[str]]:
    """Which services take which type from which topic, read off their own subscriptions."""
    found: dict[tuple[str, str], set[str]] = {}
    for service in SERVICES:
        for router in built(service).service_context.broker.routers:
            for bound in router.subscriptions:
                for topic in bound.topics:
                    for type_name in bound.message_types:
                        found.setdefault((topic.name, type_name), set()).add(service)
    return found
