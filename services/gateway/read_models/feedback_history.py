"""An agent's rated answers by hour, for back-tests of trigger policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from services.gateway.views.curriculum import FeedbackHistoryView, HistoryHourView
from shared.ports import Clock
from shared.postgres.database import Tx
from shared.postgres.queries import load_queries

BEST_RATING: Final = 5.0
RATING_RANGE: Final = 4.0
MAX_DEPLOYMENTS: Final = 1_000


class FeedbackHistoryReadModel:
    """Reads what other read models keep. Takes `tx` and never commits."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queries = load_queries("services.gateway")

    async def find(self, tx: Tx, tenant_id: str, agent_id: str, days: int) -> FeedbackHistoryView:
        """Hours with feedback of the newest days, oldest first, and when versions were deployed."""
        since = self._clock.now() - timedelta(days=days)
        named = {"tenant_id": tenant_id, "agent_id": agent_id}
        hours = self._queries.feedback_hours(tx, **named, since=since)
        deployed = self._queries.deployments(
            tx, **named, until=None, limit=MAX_DEPLOYMENTS, offset=0
        )
        return FeedbackHistoryView(
            hours=tuple(
                [
                    HistoryHourView(
                        hour=row["hour"],
                        answers=row["feedback"],
                        wrong=count_wrong(
                            row["feedback"], row["corrected"], row["rated"], row["rating_sum"]
                        ),
                    )
                    async for row in hours
                    if row["feedback"] > 0
                ]
            ),
            deployed_at=tuple([row["at"] async for row in deployed]),
            training_seconds=await self._queries.median_training_seconds(tx, **named),
        )


def count_wrong(feedback: int, corrected: int, rated: int, rating_sum: float) -> int:
    """Wrong answers of an hour: those that were corrected, or what the stars say if that is more.

    A rating of one star is a wrong answer, one of three half of one. Feedback that is both rated
    and corrected counts once.
    """
    by_stars = rated * (BEST_RATING - rating_sum / rated) / RATING_RANGE if rated else 0.0
    return min(feedback, max(corrected, round(by_stars)))
