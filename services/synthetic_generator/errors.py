"""What can go wrong in the synthetic generator.

PermanentError
└── UnreadableExamples    the examples' folder is not what it should be
"""

from __future__ import annotations

from shared.errors import PermanentError


class UnreadableExamples(PermanentError):
    """The folder of examples holds no items.jsonl."""
