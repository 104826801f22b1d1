"""How a base model is named: a package, a folder, or a pinned address of another machine.

`pypi:<package>`, `file:///<folder>`, `hf://<owner>/<name>@<revision>#sha256=<digest>`, or another
address of fsspec such as `s3://<bucket>/<folder>#sha256=<digest>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

_DIGEST: Final = re.compile(r"sha256=([0-9a-f]{64})")
_HUB_PATH: Final = re.compile(r"/[\w.-]+@[0-9a-f]{40}/?")
_PACKAGE: Final = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class BaseModelSource:
    """Where a base model lies: `name` is a package's name, a folder's path, or an address.

    `digest` pins the files of an address.
    """

    kind: Literal["pypi", "file", "remote"]
    name: str
    digest: str = ""


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
        case scheme if scheme and parts.netloc:
            return _read_address(uri, parts)
        case _:
            raise ValueError(
                f"{uri!r} is no base model URI: use pypi:<package>, file:///<folder>, or an "
                "address such as s3://<bucket>/<folder>#sha256=<digest>"
            )


def _read_address(uri: str, parts: SplitResult) -> BaseModelSource:
    digest = _DIGEST.fullmatch(parts.fragment)
    if digest is None:
        raise ValueError(
            f"{uri!r} pins no content: end it with #sha256= and the digest of the model's files"
        )
    if parts.query or parts.username or ".." in parts.path.split("/"):
        raise ValueError(f"{uri!r} has a query, a user or '..' in it: name the folder alone")
    if parts.scheme == "hf" and not _HUB_PATH.fullmatch(parts.path):
        raise ValueError(
            f"{uri!r} names no revision: use hf://<owner>/<name>@<commit of 40 hex digits>"
        )
    return BaseModelSource("remote", uri.partition("#")[0].rstrip("/"), digest.group(1))
