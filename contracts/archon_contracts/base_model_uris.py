"""How a base model is named: `pypi:<package>` or `file:///<folder>`, and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import unquote, urlsplit

_PACKAGE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class BaseModelSource:
    """Where a base model lies: `name` is a package's name, or a folder's path."""

    kind: Literal["pypi", "file"]
    name: str


def read_base_model_uri(uri: str) -> BaseModelSource:
    """What a base model's URI names. Nothing is looked up.

    Raises:
        ValueError: it is no such URI; the message is a sentence that says what to use.
    """
    parts = urlsplit(uri)
    match parts.scheme:
        case "file":
            return BaseModelSource("file", unquote(parts.path))
        case "pypi":
            # Python runs the parent package to find what is after a dot, so there is none.
            if not _PACKAGE.fullmatch(parts.path):
                raise ValueError(
                    f"{uri!r} names no package: use letters, digits, '-' and '_' after pypi:"
                )
            return BaseModelSource("pypi", parts.path)
        case _:
            raise ValueError(
                f"{uri!r} is no base model URI: use pypi:<package> or file:///<folder>"
            )
