"""Interactions on their way to the gateway, sent by a thread beside the agent.

An answer never waits for the log: what cannot be sent for long is dropped, oldest first, and
counted. Feedback is sent by the caller's own thread and answered when it is safe.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import httpx

from archon_contracts.client.errors import (
    ClientError,
    GatewayRefusedError,
    GatewayUnavailableError,
)
from archon_contracts.client.event_size import encode_event
from archon_contracts.client.http import (
    RETRYABLE_STATUSES,
    read_problem,
    require_gateway_url,
    require_sendable,
    retry_after_seconds,
)
from archon_contracts.client.tracing import TraceHeaders
from archon_contracts.client.traffic_class import current_traffic_class
from archon_contracts.event_ids import with_traffic_class
from archon_contracts.events import FeedbackReceived, InteractionLogged
from archon_contracts.rules.bounds import MAX_EVENT_BYTES
from archon_contracts.traffic_classes import TrafficClass

FEEDBACK: Final = "/v1/feedback"
INTERACTIONS: Final = "/v1/interactions"
MAX_BATCH: Final = 500
MAX_UNSENT: Final = 20_000
MAX_REMEMBERED: Final = 20_000
RETRY_SECONDS: Final = 1.0
ATTEMPTS: Final = 5
CLOSE_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class LoggedAnswer(NamedTuple):
    """An interaction and the trace in which it was answered."""

    interaction: InteractionLogged
    trace: TraceHeaders


class InteractionRecorder:
    """Keeps answers for feedback, and sends them; safe to use from any thread."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        traffic_class: TrafficClass | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Nothing is sent, and no thread runs, before the first answer."""
        self._traffic_class = traffic_class
        self._url = require_gateway_url(url)
        self._headers = {"Authorization": f"Bearer {require_sendable(api_key)}"}
        self._transport = transport
        self._changed = threading.Condition()
        self._unsent: deque[LoggedAnswer] = deque()
        self._remembered: OrderedDict[str, LoggedAnswer] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._sending = 0
        self.sent = 0
        self.dropped = 0

    @cached_property
    def _http(self) -> httpx.Client:
        # Made when it is first used: its TLS context costs some 30 ms.
        return httpx.Client(
            base_url=self._url, headers=self._headers, timeout=10.0, transport=self._transport
        )

    def add(self, interaction: InteractionLogged, trace: TraceHeaders) -> None:
        """Remember an answer for its feedback, and send it soon."""
        marked = with_traffic_class(interaction, self._traffic_class, current_traffic_class())
        answer = LoggedAnswer(marked, trace)  # type: ignore[arg-type]  # the same kind comes back
        with self._changed:
            self._remembered[interaction.interaction_id] = answer
            if len(self._remembered) > MAX_REMEMBERED:
                self._remembered.popitem(last=False)
            self._unsent.append(answer)
            if len(self._unsent) > MAX_UNSENT:
                self._unsent.popleft()
                self.dropped += 1
            self._require_thread()
            self._changed.notify_all()

    def find(self, interaction_id: str) -> LoggedAnswer | None:
        """A remembered answer; None: it is too old, or another process gave it."""
        with self._changed:
            return self._remembered.get(interaction_id)

    def send_feedback(self, feedback: FeedbackReceived, trace: TraceHeaders) -> None:
        """Send feedback now; it is safe once this returns.

        Raises:
            GatewayUnavailableError: not accepted in all attempts; sending again is safe.
            GatewayRefusedError: the gateway says what is wrong with it.
            EventTooLargeError: it is larger than the system takes.
        """
        marked = with_traffic_class(feedback, self._traffic_class, current_traffic_class())
        body = b'{"events":[' + encode_event(marked, MAX_EVENT_BYTES) + b"]}"
        for attempt in range(ATTEMPTS):
            wait = self._post(FEEDBACK, body, trace)
            if wait is None:
                return
            if attempt + 1 < ATTEMPTS:
                time.sleep(wait)
        raise GatewayUnavailableError(f"feedback was not accepted in {ATTEMPTS} attempts")

    def flush(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Wait until all answers are sent; false: some are not yet."""
        with self._changed:
            return self._changed.wait_for(
                lambda: not self._unsent and not self._sending, timeout_seconds
            )

    def close(self) -> None:
        """Send what is there, for 5 s at most, and end the thread."""
        self.flush()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(CLOSE_SECONDS)
            atexit.unregister(self.close)
        if "_http" in vars(self):
            self._http.close()

    def _require_thread(self) -> None:
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._run, name="archon-recorder", daemon=True)
            self._thread.start()
            # A daemon thread ends with the process: what is unsent then would be lost.
            atexit.register(self.close)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._unsent or self._closing)
                if self._closing:
                    return
                batch = self._take_batch()
                self._sending = len(batch)
            wait = self._send(batch)
            with self._changed:
                if wait is None:
                    self.sent += len(batch)
                else:
                    self._unsent.extendleft(reversed(batch))
                self._sending = 0
                self._changed.notify_all()
                if wait is not None:
                    self._changed.wait_for(lambda: self._closing, wait)

    def _take_batch(self) -> list[LoggedAnswer]:
        """The oldest answers of one trace: a request carries the context of one."""
        trace = self._unsent[0].trace
        batch: list[LoggedAnswer] = []
        while self._unsent and len(batch) < MAX_BATCH and self._unsent[0].trace == trace:
            batch.append(self._unsent.popleft())
        return batch

    def _send(self, batch: Sequence[LoggedAnswer]) -> float | None:
        """Send answers of one trace; seconds to wait where they are to be sent again."""
        try:
            encoded = [encode_event(each.interaction, MAX_EVENT_BYTES) for each in batch]
            return self._post(
                INTERACTIONS, b'{"events":[' + b",".join(encoded) + b"]}", batch[0].trace
            )
        except (ClientError, GatewayRefusedError) as error:
            self.dropped += len(batch)
            self.sent -= len(batch)
            log.error("%d interactions were refused and are dropped: %s", len(batch), error)
            return None

    def _post(self, path: str, body: bytes, trace: TraceHeaders) -> float | None:
        headers = {"Content-Type": "application/json", **trace}
        try:
            response = self._http.post(path, content=body, headers=headers)
        except httpx.TransportError:
            return RETRY_SECONDS
        if response.is_success:
            return None
        if response.status_code not in RETRYABLE_STATUSES:
            raise read_problem(response)
        return retry_after_seconds(response, default=RETRY_SECONDS)
