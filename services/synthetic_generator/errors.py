"""What can go wrong in the synthetic generator.

PermanentError
├── UnreadableExamples    the examples' folder is not what it should be
├── DomainInvalid         a domain file or a package with a domain is not right
├── GenerationTimedOut    a child did not make its items before the deadline
└── TextTooSlow           one text took too long; it is left out
"""

from __future__ import annotations

from shared.errors import PermanentError


class UnreadableExamples(PermanentError):
    """The folder of examples holds no items.jsonl."""


class DomainInvalid(PermanentError):
    """A domain file, or an installed package with a domain, is not right."""


class GenerationTimedOut(PermanentError):
    """A child did not make its items before the deadline."""


class TextTooSlow(PermanentError):
    """One text took too long to be looked at."""
