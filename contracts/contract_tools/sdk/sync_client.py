"""The synchronous client, written from the asynchronous one by replacing its words."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

SOURCE: Final = "asynchronous"
TARGET: Final = "synchronous"
NOTE: Final = "Written by `python -m tests.reference` from the asynchronous client; do not edit."
WORDS: Final = (
    (r"\basync (def|with|for)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAwaitable\[None\]", "None"),
    (r"\bAsync(?=[A-Z])", ""),
    (r"\bAwaitable, ", ""),
    (r"\basyncio\b", "time"),
    (r"__a(enter|exit)__", r"__\1__"),
    (r"\ba(close|read|iter_lines)\b", r"\1"),
    (rf"\b{SOURCE}\b", TARGET),
    (r"Use one per event loop\.", "Threads may share it."),
    (r"The asynchronous client\. The synchronous one is written from it: edit this one\.", ""),
)


def build_sync_client(folder: Path) -> dict[str, str]:
    """Text by file name of each module of the synchronous client."""
    return {
        path.name: _to_sync(path.read_text())
        for path in sorted((folder / SOURCE).glob("*.py"))
        if path.name != "__init__.py"
    }


def _to_sync(text: str) -> str:
    for pattern, replacement in WORDS:
        text = re.sub(pattern, replacement, text)
    first, rest = text.split('"""', 2)[1:]
    return f'"""{first.strip()}\n\n{NOTE}\n"""{rest}'
