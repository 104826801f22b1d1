"""Every error of the system derives from one of two roots.

    ArchonError
    ├── RetryableError            the same message may succeed later
    │   ├── DatabaseUnavailable   PostgreSQL cannot be reached or is restarting
    │   ├── TransactionConflict   a deadlock or serialisation failure; nothing was written
    │   ├── BrokerUnavailable     Kafka cannot be reached
    │   ├── ArtifactStoreUnavailable   the artifact store does not answer
    │   │   └── ArtifactStoreRefused   or does not let us; until somebody gives the right
    │   └── ChildCrashed          a child process died without an answer
    └── PermanentError            trying again cannot help
        ├── UnreadableMessage     the body or headers do not fit the contract
        ├── UnknownMessageType    no contract has this type
        ├── ConstraintViolated    the database refused a row
        ├── ValueRefused          the database cannot hold a value, such as a NUL in a text
        ├── AccessRefused         the database refused another tenant's row, or a table
        ├── LeaseLost             somebody else owns this work now
        │   ├── LeaseNotRenewed   or may own it: the lease ran out while the database was away
        │   └── WorkerStalled     or may own it: this process was held up for longer than the lease
        ├── ChildFailed           a child process said why it cannot do its work
        ├── ArtifactMissing       no artifact at this address
        ├── ArtifactCorrupt       an artifact does not hash to its digest
        ├── ArtifactUnsafe        an artifact holds a file that runs code when it is loaded
        ├── MigrationFailed       the database's schema is not what this code needs
        └── StartupFailed         the process cannot start; the message says what to do

The middleware in `shared.kafka.retry_policy` maps them: bounded retry with backoff, or a dead
letter.
"""

from __future__ import annotations


class ArchonError(Exception):
    """Base of all errors; the message states what is wrong and what to do."""


class RetryableError(ArchonError):
    """The same message may succeed later."""


class PermanentError(ArchonError):
    """A repetition cannot succeed."""


class DatabaseUnavailable(RetryableError):
    """PostgreSQL cannot be reached or is restarting."""


class TransactionConflict(RetryableError):
    """A deadlock or serialisation failure; nothing was written."""


class BrokerUnavailable(RetryableError):
    """Kafka cannot be reached."""


class ArtifactStoreUnavailable(RetryableError):
    """The artifact store does not answer, or asks to come later."""


class ArtifactStoreRefused(ArtifactStoreUnavailable):
    """The artifact store answers and refuses; it may succeed once somebody gives the right."""


class ChildCrashed(RetryableError):
    """A child process ended without a result."""


class UnreadableMessage(PermanentError):
    """The body or headers do not fit the contract."""


class UnknownMessageType(PermanentError):
    """No contract has this type."""


class ConstraintViolated(PermanentError):
    """The database rejected a row."""

    def __init__(self, message: str, constraint: str) -> None:
        super().__init__(message)
        self.constraint = constraint


class ValueRefused(PermanentError):
    """The database cannot hold a value: a NUL in a text, a number or a time out of range."""


class AccessRefused(PermanentError):
    """The database rejected a row of another tenant, or a table without privilege."""


class LeaseLost(PermanentError):
    """Another worker owns this work."""


class LeaseNotRenewed(LeaseLost):
    """The lease could not be renewed in time; another worker may own the work."""


class WorkerStalled(LeaseLost):
    """The process was held up for longer than the lease; the try counts."""


class ChildFailed(PermanentError):
    """A child process reported an error."""

    def __init__(self, message: str, error_type: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class ArtifactMissing(PermanentError):
    """No artifact at this address."""


class ArtifactCorrupt(PermanentError):
    """An artifact does not hash to its digest."""


class ArtifactUnsafe(PermanentError):
    """An artifact holds a file that runs code when it is loaded."""


class MigrationFailed(PermanentError):
    """The database's schema is not what this code needs."""


class StartupFailed(PermanentError):
    """The process cannot start; the message says what to do."""
