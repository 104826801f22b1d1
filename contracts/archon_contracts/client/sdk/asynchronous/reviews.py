"""Reviews: answers that people compare, rate or label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from archon_contracts.client.sdk.answers.reviews import ReviewSummaryInfo, ReviewTaskInfo
from archon_contracts.client.sdk.asynchronous.transport import AsyncTransport
from archon_contracts.client.sdk.calls import api_path, read_call, write_call


class AsyncReviewsApi:
    """Queue items for reviewers, and review them; reviewing needs the scope `annotate`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def add(
        self,
        agent_id: str,
        *,
        kind: str,
        items: Sequence[Mapping[str, Any]],
        labels: Sequence[str] = (),
        rubric: str = "",
        votes: int = 1,
    ) -> int:
        """Queue items of one kind (pairwise, rubric or label); returns how many."""
        body = {
            "kind": kind,
            "items": list(items),
            "labels": list(labels),
            "rubric": rubric,
            "votes": votes,
        }
        call = write_call(api_path("agents", agent_id, "reviews"), body)
        return int((await self._transport.send(call, dict[str, Any]))["tasks"])

    async def get(self, agent_id: str) -> ReviewSummaryInfo:
        """How many items are done, how far reviewers agree, and the newest choices."""
        call = read_call(api_path("agents", agent_id, "reviews"))
        return await self._transport.send(call, ReviewSummaryInfo)

    async def next(self, agent_id: str) -> ReviewTaskInfo | None:
        """The item that this key has, or the next one, for ten minutes; None: nothing is left."""
        call = read_call(api_path("agents", agent_id, "reviews", "next"))
        found = await self._transport.send(call, dict[str, Any])
        return ReviewTaskInfo.model_validate(found) if found else None

    async def choose(self, task_id: UUID | str, choice: str, *, comment: str = "") -> None:
        """Choose for the item that this key has."""
        body = {"choice": choice, "comment": comment}
        call = write_call(api_path("reviews", task_id, "choice"), body)
        await self._transport.send(call, dict[str, Any])

    async def skip(self, task_id: UUID | str) -> None:
        """Leave the item to other keys."""
        call = write_call(api_path("reviews", task_id, "skip"))
        await self._transport.send(call, dict[str, Any])

    async def undo(self, agent_id: str) -> UUID:
        """Take back this key's newest choice of the last hour; returns its item."""
        call = write_call(api_path("agents", agent_id, "reviews", "undo"))
        return UUID((await self._transport.send(call, dict[str, Any]))["task_id"])
