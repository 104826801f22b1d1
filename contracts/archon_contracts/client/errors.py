"""What can go wrong for a user of the clients.

ClientError
├── MissingExtraError        the client's library is not installed
├── KafkaSecurityError       a TLS or SASL setting of the client cannot be used
├── BrokerUnavailableError   no answer from Kafka in time; sending again is safe
├── SendRefusedError         Kafka will not take this event, now or later
├── EventTooLargeError       the event is larger than the system takes; nothing was sent
├── SubscriptionError        the subscription cannot go on
├── ApiKeyError              the API key cannot be sent; it is never shown
├── GatewayUrlError          the gateway's URL is none that can be asked
├── GatewayUnavailableError  no acceptance over HTTP in time; sending again is safe
├── GatewayRefusedError      the gateway says what is wrong with the request, field by field
├── JobUnsuccessfulError     a job that was waited for ended without a new version
└── WaitTimeoutError         what was waited for has not ended in time
"""

from __future__ import annotations

from dataclasses import dataclass


class ClientError(Exception):
    """Root of all errors that the clients raise."""


class MissingExtraError(ClientError, ImportError):
    """The library behind a client is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        command = f"pip install './contracts[{extra}]'"
        super().__init__(f"this client needs {library}; install it with: {command}")


class KafkaSecurityError(ClientError):
    """A setting of `KafkaSecurity` cannot be used; `setting` is its name."""

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"{setting} {problem}")
        self.setting = setting
        self.problem = problem


class BrokerUnavailableError(ClientError):
    """Kafka did not answer in time. The event may still have arrived: send it with the same id."""


class TopicMissingError(ClientError):
    """Kafka lacks a topic: the system has not been set up on it, or it is another Kafka."""


class SendRefusedError(ClientError):
    """Kafka refused an event (too large, no such topic, not allowed); a retry will not help."""


class EventTooLargeError(ClientError):
    """An event is larger than the system takes. Nothing was sent."""

    def __init__(self, size: int, maximum: int, interaction: str) -> None:
        super().__init__(
            f"the event {interaction!r:.80} has {size} bytes, {maximum} are allowed: shorten its "
            "input or answer, or pass the system's own limit as max_event_bytes"
        )


class SubscriptionError(ClientError):
    """A subscription could not start or cannot go on."""


class ApiKeyError(ClientError):
    """The API key cannot be sent in a header. The message never holds any of it."""


class GatewayUrlError(ClientError):
    """The URL of the gateway is none that can be asked; its user and password are not shown."""


class GatewayUnavailableError(ClientError):
    """The gateway could not be reached, or was too busy for as long as we tried."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What the gateway says of one field: its path, the rule that it breaks, and a sentence."""

    field: str
    rule: str
    message: str


class GatewayRefusedError(ClientError):
    """The gateway refused the request; `title` and `detail` are its words.

    `errors` names each field that breaks a rule, `limit` the exhausted one of a 429, and `trace_id`
    the request's trace: what an operator needs to find it.
    """

    def __init__(
        self,
        status: int,
        title: str,
        detail: str,
        *,
        errors: tuple[FieldProblem, ...] = (),
        limit: str = "",
        trace_id: str = "",
    ) -> None:
        further = [f"{each.field}: {each.message}" for each in errors if each.field]
        texts = [detail, *(text for text in further if text not in detail)]
        text = "; ".join(text for text in texts if text)
        super().__init__(f"{status} {title}: {text}" if text else f"{status} {title}")
        self.status = status
        self.title = title
        self.detail = detail
        self.errors = errors
        self.limit = limit
        self.trace_id = trace_id

    @property
    def field(self) -> str:
        """The first field that breaks a rule; empty: it is none of a field."""
        return next((each.field for each in self.errors if each.field), "")


class JobUnsuccessfulError(ClientError):
    """A job ended without a new version; `state` is its end and `reason` says why."""

    def __init__(self, job_id: str, state: str, reason: str) -> None:
        super().__init__(f"job {job_id} {state}: {reason}" if reason else f"job {job_id} {state}")
        self.job_id = job_id
        self.state = state
        self.reason = reason


class WaitTimeoutError(ClientError, TimeoutError):
    """What was waited for has not ended in time; it goes on, and can be waited for again."""
