"""The review queue: hand an item to one reviewer at a time, keep what they choose, undo it.

A review is nobody's feedback: no training reads these tables.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import orjson

from archon_contracts.identifiers import derived_id
from services.gateway.auth.agent_binding import hide_other_agents, require_agents
from services.gateway.auth.credentials import Caller
from services.gateway.auth.request_identity import RequestIdentity
from services.gateway.errors import Conflict, FieldError, Invalid, NotFound
from services.gateway.reviews.agreement import find_agreement
from services.gateway.reviews.store import ReviewStore, Row
from services.gateway.reviews.views import (
    GRADES,
    AgreementView,
    ReviewCount,
    ReviewRequestBody,
    ReviewSummary,
    ReviewTasksRequest,
    ReviewTaskView,
    ReviewView,
)
from services.gateway.store import GatewayStore
from shared.ports import Clock
from shared.postgres.database import Tx

LEASE: Final = timedelta(minutes=10)
"""How long an item is one reviewer's: a long answer takes minutes to read."""
UNDO: Final = timedelta(hours=1)
MAXIMUM_REVIEWS: Final = 10_000
"""Newest reviews that agreement is computed of."""
SHOWN_REVIEWS: Final = 100
TIE: Final = "tie"


class Reviews:
    """Takes `tx` and never commits."""

    def __init__(self, store: GatewayStore, reviews: ReviewStore, clock: Clock) -> None:
        self._store = store
        self._reviews = reviews
        self._clock = clock

    async def add_tasks(
        self, tx: Tx, identity: RequestIdentity, agent_id: str, request: ReviewTasksRequest
    ) -> int:
        """Queue items; the same request again adds nothing. Returns how many.

        Raises:
            NotFound: no such agent.
        """
        require_agents(identity.caller, [agent_id])
        await self._require_agent(tx, identity.tenant_id, agent_id)
        shared = {"labels": request.labels, "rubric": request.rubric}
        items = {
            derived_id("review", identity.id, place): orjson.dumps(
                item.model_dump() | shared
            ).decode()
            for place, item in enumerate(request.items)
        }
        await self._reviews.add_tasks(
            tx,
            identity.tenant_id,
            agent_id,
            items,
            kind=request.kind,
            votes=request.votes,
            at=self._clock.now(),
        )
        return len(items)

    async def next_task(self, tx: Tx, caller: Caller, agent_id: str) -> ReviewTaskView | None:
        """The caller's item, leased for ten minutes; None: nothing is left for them.

        Raises:
            NotFound: no such agent.
        """
        await self._require_agent(tx, caller.tenant_id, agent_id)
        now, tenant, reviewer = self._clock.now(), caller.tenant_id, caller.submitter
        # Asking again changes nothing while enough of the lease is left.
        found = await self._reviews.find_leased(tx, tenant, agent_id, reviewer, now + LEASE / 2)
        if found is None:
            found = await self._reviews.lease(
                tx, tenant, agent_id, reviewer, now=now, until=now + LEASE
            )
        return None if found is None else show_task(found, caller.submitter)

    async def review(
        self, tx: Tx, caller: Caller, task_id: UUID, request: ReviewRequestBody
    ) -> None:
        """Keep the caller's choice for the item that they have.

        Raises:
            NotFound: no such task.
            Conflict: the caller does not have it, or no longer.
            Invalid: that cannot be chosen.
        """
        task = await self._require_leased(tx, caller, task_id)
        choice = find_choice(task, caller.submitter, request.choice)
        await self._reviews.add_review(
            tx,
            caller.tenant_id,
            task,
            caller.submitter,
            choice=choice,
            comment=request.comment,
            at=self._clock.now(),
        )

    async def skip(self, tx: Tx, caller: Caller, task_id: UUID) -> None:
        """Leave the item to others; the caller does not get it again. Raises as `review`."""
        task = await self._require_leased(tx, caller, task_id)
        await self._reviews.add_review(
            tx,
            caller.tenant_id,
            task,
            caller.submitter,
            choice=None,
            comment="",
            at=self._clock.now(),
        )

    async def undo(self, tx: Tx, caller: Caller, agent_id: str) -> UUID:
        """Take back the caller's newest review of the last hour; its item is theirs again.

        Raises:
            Conflict: there is none.
        """
        now = self._clock.now()
        task_id = await self._reviews.undo(
            tx,
            caller.tenant_id,
            agent_id,
            caller.submitter,
            since=now - UNDO,
            until=now + LEASE,
        )
        if task_id is None:
            raise Conflict("this key has reviewed nothing of the agent in the last hour")
        return task_id

    async def summarise(self, tx: Tx, caller: Caller, agent_id: str) -> ReviewSummary:
        """How many are done, and how far reviewers agree.

        Raises:
            NotFound: no such agent.
        """
        await self._require_agent(tx, caller.tenant_id, agent_id)
        counts = await self._reviews.count(tx, caller.tenant_id, agent_id)
        found = await self._reviews.reviews(tx, caller.tenant_id, agent_id, MAXIMUM_REVIEWS)
        return ReviewSummary(
            agent_id=agent_id,
            counts=[ReviewCount(**row) for row in counts],
            agreement=measure_agreement(found),
            reviews=[
                ReviewView(request=row["item"]["request"], **row) for row in found[:SHOWN_REVIEWS]
            ],
        )

    async def _require_agent(self, tx: Tx, tenant_id: str, agent_id: str) -> None:
        if not await self._store.has_agent(tx, tenant_id, agent_id):
            raise NotFound("agent", agent_id)

    async def _require_leased(self, tx: Tx, caller: Caller, task_id: UUID) -> Row:
        task = await self._reviews.lock(tx, caller.tenant_id, task_id)
        if task is None:
            raise NotFound("review task", task_id)
        hide_other_agents(caller, task["agent_id"], "review task", task_id)
        held = task["leased_to"] == caller.submitter
        if not held or task["leased_until"] < self._clock.now():
            raise Conflict(f"review task {task_id} is not leased to this key; ask for the next one")
        return task


def is_swapped(task_id: UUID, reviewer: str) -> bool:
    """Whether a reviewer sees the second answer of a pair first: the same each time, by a hash."""
    return hashlib.sha256(f"{task_id} {reviewer}".encode()).digest()[0] % 2 == 1


def list_choices(task: Row) -> list[str]:
    """What can be chosen, in the order of the keys."""
    match task["kind"]:
        case "pairwise":
            return ["A", "B", TIE]
        case "rubric":
            return list(GRADES)
        case _:
            return list(task["item"]["labels"])


def show_task(task: Row, reviewer: str) -> ReviewTaskView:
    """The task as its reviewer sees it: without versions, a pair in their own order."""
    item: dict[str, Any] = task["item"]
    answers = list(item["answers"])
    if task["kind"] == "pairwise" and is_swapped(task["task_id"], reviewer):
        answers.reverse()
    return ReviewTaskView(
        task_id=task["task_id"],
        agent_id=task["agent_id"],
        kind=task["kind"],
        request=item["request"],
        answers=answers,
        choices=list_choices(task),
        rubric=item["rubric"],
        leased_until=task["leased_until"],
    )


def find_choice(task: Row, reviewer: str, chosen: str) -> str:
    """The choice as it is kept: of a pair the version, or for want of names the place from 1.

    Raises:
        Invalid: it is none of the choices.
    """
    choices = list_choices(task)
    if chosen not in choices:
        message = f"choose one of {', '.join(choices[:20])}"
        raise Invalid([FieldError("choice", "choice", message)])
    if task["kind"] != "pairwise" or chosen == TIE:
        return chosen
    place = int((chosen == "B") != is_swapped(task["task_id"], reviewer))
    versions: Sequence[str] = task["item"]["versions"]
    return versions[place] if versions else str(place + 1)


def measure_agreement(reviews: Sequence[Row]) -> list[AgreementView]:
    """Kappa of each kind of task."""
    by_kind: defaultdict[str, defaultdict[UUID, dict[str, str]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for row in reviews:
        by_kind[row["kind"]][row["task_id"]][row["reviewer"]] = row["choice"]
    found = []
    for kind, choices in sorted(by_kind.items()):
        coefficient, kappa, items = find_agreement(choices)
        found.append(AgreementView(kind=kind, coefficient=coefficient, kappa=kappa, items=items))
    return found
