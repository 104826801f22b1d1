"""What can be wrong with a model before it has predicted anything.

InferenceError
├── ModelFolderInvalid   the folder is not a complete model of a kind we know
├── BaseModelChanged     a package does not hold the base model that is pinned for it
└── BaseModelMissing     a base model's address leads nowhere; the message says what to install
"""

from __future__ import annotations


class InferenceError(Exception):
    """An error whose message is a plain sentence: what is wrong, and what to do."""


class ModelFolderInvalid(InferenceError):
    """The folder is not a complete model of a kind we know."""


class BaseModelChanged(InferenceError):
    """A package does not hold the base model that is pinned for it."""


class BaseModelMissing(InferenceError):
    """A base model's address leads nowhere; the message says what to install."""
