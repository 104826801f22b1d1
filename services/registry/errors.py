"""Commands that the registry cannot carry out.

ArchonError
├── PermanentError
│   ├── UnknownVersion       the agent has no such version
│   ├── NothingToRollBackTo  no version was deployed before the present one
│   ├── InvalidVersion       a version is not MAJOR.MINOR.PATCH
│   ├── VersionArchived      the version is kept for the record only
│   ├── VersionInUse         a version that is deployed or protected cannot be archived
│   ├── SameWeights          the version has the digest of the deployed one
│   └── ModelUnusable        the version's artifact could not be loaded
└── RetryableError
    └── TargetMoved          another change came between the check and the deployment
"""

from __future__ import annotations

from shared.errors import PermanentError, RetryableError


class UnknownVersion(PermanentError):
    """The agent has no such version; the command names one that was never registered."""


class NothingToRollBackTo(PermanentError):
    """No version was deployed before the present one, so there is none to return to."""


class InvalidVersion(PermanentError):
    """A version is three whole numbers joined by dots."""


class VersionArchived(PermanentError):
    """The version was archived, and is deployed no more."""


class VersionInUse(PermanentError):
    """The version is deployed, or protected by a person."""


class SameWeights(PermanentError):
    """The version's digest is that of the deployed one: deploying it would change nothing."""


class ModelUnusable(PermanentError):
    """The version's files are not those of a model that can be loaded."""


class TargetMoved(RetryableError):
    """Another change of the agent came between the check of an artifact and its deployment."""
