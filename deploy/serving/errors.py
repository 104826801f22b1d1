"""Requests that the server refuses.

ServingError
├── ModelFailed         the model raised on an input
├── ServerBusy          more requests wait than it can answer soon
└── UnknownInteraction  feedback names an answer that the server does not remember
"""

from __future__ import annotations


class ServingError(Exception):
    """Base of all; the message says what to do."""


class ModelFailed(ServingError):
    """The model raised on this input; others may go well."""


class ServerBusy(ServingError):
    """Too many requests wait; the same may be sent again."""


class UnknownInteraction(ServingError):
    """The interaction is not remembered: it is too old, or was another process's."""
