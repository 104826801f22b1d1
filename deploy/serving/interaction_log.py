"""Interactions on their way to the system, and what is remembered of them for feedback.

A request never waits for the log: it is sent in batches beside. What cannot be sent for long is
dropped, oldest first, and counted; feedback is sent by itself and answered when it is safe.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from typing import Final

from archon_contracts.client.errors import ClientError
from archon_contracts.events import InteractionLogged
from deploy.serving.errors import UnknownInteraction
from deploy.serving.ports import FeedbackSender

SEND_SECONDS: Final = 0.1
RETRY_SECONDS: Final = 1.0
MAX_BATCH: Final = 500
MAX_UNSENT: Final = 20_000
MAX_REMEMBERED: Final = 20_000

log = logging.getLogger(__name__)


class InteractionLog:
    """Used from one event loop; `run` sends until it is cancelled."""

    def __init__(self, sender: FeedbackSender) -> None:
        self._sender = sender
        self._unsent: deque[InteractionLogged] = deque()
        self._remembered: OrderedDict[str, InteractionLogged] = OrderedDict()
        self.dropped = 0
        self.sent = 0

    def add(self, interaction: InteractionLogged) -> None:
        """Send an answer soon, and remember it for feedback if users saw it."""
        if interaction.traffic_class is None:
            self._remembered[interaction.interaction_id] = interaction
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        self._unsent.append(interaction)
        if len(self._unsent) > MAX_UNSENT:
            self._unsent.popleft()
            self.dropped += 1

    def find(self, interaction_id: str) -> InteractionLogged:
        """A remembered answer.

        Raises:
            UnknownInteraction: it is not remembered.
        """
        found = self._remembered.get(interaction_id)
        if found is None:
            raise UnknownInteraction(
                f"no interaction {interaction_id[:80]!r} is remembered; name `input` and `actual`, "
                "or send the feedback to the gateway"
            )
        return found

    @property
    def unsent(self) -> int:
        """Interactions that wait to be sent."""
        return len(self._unsent)

    async def run(self) -> None:
        """Send what has come, in batches."""
        while True:
            await asyncio.sleep(SEND_SECONDS)
            while self._unsent:
                if not await self.flush():
                    await asyncio.sleep(RETRY_SECONDS)

    async def flush(self) -> bool:
        """Send one batch; False: it could not be sent, and waits."""
        batch = [self._unsent.popleft() for _ in range(min(MAX_BATCH, len(self._unsent)))]
        try:
            await self._sender.send_many(batch)
        # Ids derive from what the events say: those that did arrive count once.
        except asyncio.CancelledError:
            self._unsent.extendleft(reversed(batch))
            raise
        except ClientError as error:
            self._unsent.extendleft(reversed(batch))
            log.warning("interactions_not_sent waiting=%d: %s", len(self._unsent), error)
            return False
        self.sent += len(batch)
        return True
