"""Reviews: answers that people compare, rate or label.

Written by `python -m tests.reference` from the asynchronous client; do not edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from archon_contracts.client.sdk.answers.reviews import ReviewSummaryInfo, ReviewTaskInfo
from archon_contracts.client.sdk.calls import api_path, read_call, write_call
from archon_contracts.client.sdk.synchronous.transport import Transport


class ReviewsApi:
    """Queue items for reviewers, and review them; reviewing needs the scope `annotate`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
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
        return int((self._transport.send(call, dict[str, Any]))["tasks"])

    def get(self, agent_id: str) -> ReviewSummaryInfo:
        """How many items are done, how far reviewers agree, and the newest choices."""
        call = read_call(api_path("agents", agent_id, "reviews"))
        return self._transport.send(call, ReviewSummaryInfo)

    def next(self, agent_id: str) -> ReviewTaskInfo | None:
        """The item that this key has, or the next one, for ten minutes; None: nothing is left."""
        call = read_call(api_path("agents", agent_id, "reviews", "next"))
        found = self._transport.send(call, dict[str, Any])
        return ReviewTaskInfo.model_validate(found) if found else None

    def choose(self, task_id: UUID | str, choice: str, *, comment: str = "") -> None:
        """Choose for the item that this key has."""
        body = {"choice": choice, "comment": comment}
        call = write_call(api_path("reviews", task_id, "choice"), body)
        self._transport.send(call, dict[str, Any])

    def skip(self, task_id: UUID | str) -> None:
        """Leave the item to other keys."""
        call = write_call(api_path("reviews", task_id, "skip"))
        self._transport.send(call, dict[str, Any])

    def undo(self, agent_id: str) -> UUID:
        """Take back this key's newest choice of the last hour; returns its item."""
        call = write_call(api_path("agents", agent_id, "reviews", "undo"))
        return UUID((self._transport.send(call, dict[str, Any]))["task_id"])
