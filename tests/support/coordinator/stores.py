"""The coordinator's stores, in memory or on PostgreSQL, and rows for them."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from archon_contracts.events import JobState, TriggerReason
from archon_contracts.values import TrainingConfig, TrainingMethod
from services.coordinator.domain import (
    AgentKey,
    Job,
    JobTrace,
    Window,
    WindowClaim,
    derive_window_id,
)
from services.coordinator.feedback.correction_store import CorrectionStore
from services.coordinator.feedback.records import FeedbackRow, RetractionRow
from services.coordinator.feedback.stats import FeedbackStats, InsertResult
from services.coordinator.feedback.store import FeedbackStore
from services.coordinator.retraining.window_store import WindowStore
from services.coordinator.retraining.withdrawal_store import WithdrawalStore
from services.coordinator.store import JobStore
from tests.support.coordinator.coordinator import AGENT, configure, coordinator_world, feedback
from tests.support.coordinator.memory_feedback import MemoryFeedback
from tests.support.coordinator.memory_store import MemoryStore
from tests.support.messaging.messages import NOON

KEY = AgentKey("default", AGENT)
UNKNOWN = AgentKey("default", "nobody")
UPDATE = UUID(int=77)
"""An update of the fast path."""


@dataclass
class Stores:
    """A pair of stores and how to open a transaction of theirs."""

    jobs: Any
    feedback: Any
    transaction: Callable[[], AbstractAsyncContextManager[Any]]
    corrections: Any = None
    windows: Any = None
    withdrawals: Any = None

    async def call(self, method: str, *arguments: object, **named: object) -> Any:
        """Call a method of either store in a transaction of its own."""
        stores = (self.feedback, self.corrections, self.windows, self.withdrawals, self.jobs)
        store = next(each for each in stores if hasattr(each, method))
        async with self.transaction() as tx:
            return await getattr(store, method)(tx, *arguments, **named)

    async def insert(self, *rows: FeedbackRow, at: datetime = NOON) -> InsertResult:
        """Store a batch."""
        async with self.transaction() as tx:
            agents = await self.feedback.lock_all_stats(tx, {row.key for row in rows})
            result: InsertResult = await self.feedback.insert_feedback(tx, rows, agents, at)
        return result

    async def stats(self) -> FeedbackStats:
        """The agent's statistics."""
        found: FeedbackStats = await self.call("lock_stats", KEY)
        return found

    async def claim(self, maximum: int = 100) -> tuple[Window, WindowClaim]:
        """Claim the next window."""
        sequence = (await self.stats()).windows + 1
        window_id = derive_window_id(KEY, sequence)
        claim: WindowClaim = await self.call("claim", KEY, window_id, maximum)
        return Window(window_id, KEY, sequence, TriggerReason.COUNT, claim), claim


@contextlib.asynccontextmanager
async def open_stores(url: str | None, tmp_path: Path) -> AsyncIterator[Stores]:
    """Those of a database, or without its address those in memory, with one agent configured."""
    async with contextlib.AsyncExitStack() as stack:
        if url is None:
            store = MemoryStore()
            made = Stores(store, MemoryFeedback(store), contextlib.nullcontext)
        else:
            world = await stack.enter_async_context(coordinator_world(url, tmp_path))
            transaction = world.shared.database.across_tenants
            made = Stores(
                JobStore(),
                FeedbackStore(),
                transaction,
                CorrectionStore(),
                WindowStore(),
                WithdrawalStore(),
            )
        await made.call("put_agent", configure(), NOON)
        yield made


def row(number: int, *, rating: float | None = None, correct: bool | None = False) -> FeedbackRow:
    """A row of the agent."""
    body = feedback(f"i{number}").to_bytes()
    traceparent = f"00-{number:032x}-{number:016x}-01"
    return FeedbackRow(
        KEY, UUID(int=number), f"i{number}", "user", rating, correct, traceparent, body
    )


def retraction(number: int, event: int) -> RetractionRow:
    """The retraction `event` of a row."""
    return RetractionRow(KEY, UUID(int=event), f"i{number}", "user", "")


def job(number: int, *, state: JobState = JobState.REQUESTED, **fields: Any) -> Job:
    """A job of the agent; a later number was created later."""
    created = NOON + timedelta(seconds=number)
    values: dict[str, Any] = {
        "job_id": UUID(int=number),
        "key": KEY,
        "state": state,
        "method": TrainingMethod.SUPERVISED,
        "config": TrainingConfig(),
        "trace": JobTrace("a" * 32, None, "b" * 16, "c" * 16),
        "created_at": created,
        "state_since": created,
    }
    return Job(**(values | fields))


async def claim_correction(stores: Stores, number: int, rater: str = "u1") -> None:
    """Give one row to an update."""
    await stores.call("claim_corrections", KEY, UPDATE, [(UUID(int=number), rater)], NOON)
