"""Whether a store lets us work: its faults as errors of ours, and the check at start."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import uuid4

from archon_contracts.rules.redaction import without_credentials
from shared.errors import ArchonError, ArtifactStoreRefused, ArtifactStoreUnavailable

_RIGHTS: Final = {
    "write": "s3:PutObject",
    "read": "s3:GetObject",
    "delete": "s3:DeleteObject",
    "look for a missing file": "s3:ListBucket",
}
_CLIENT_FAULTS: Final = ("botocore.", "aiobotocore.", "aiohttp.", "s3fs.", "fsspec.")


@contextlib.contextmanager
def translated_store_errors(url: str) -> Iterator[None]:
    """Faults of a remote store; a missing file and errors of ours pass.

    Raises:
        ArtifactStoreRefused: it answers, and does not let us; somebody has to give the right.
        ArtifactStoreUnavailable: it does not answer, or asks to come later.
    """
    try:
        yield
    except (ArchonError, FileNotFoundError):
        raise
    except PermissionError as error:
        raise ArtifactStoreRefused(
            f"the artifact store {url} refused access: {_text(error)}"
        ) from None
    except Exception as error:
        of_client = type(error).__module__.startswith(_CLIENT_FAULTS)
        if not of_client and not isinstance(error, OSError):
            raise
        if "NoCredentials" in type(error).__name__ or "PartialCredentials" in type(error).__name__:
            raise ArtifactStoreRefused(
                f"the artifact store {url} has no credentials: set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY"
            ) from None
        raise ArtifactStoreUnavailable(
            f"the artifact store {url} does not answer: {_text(error)}"
        ) from error


def check_access(files: Any, root: str, url: str) -> None:
    """Write a small file, read it back and delete it.

    Raises:
        ArtifactStoreRefused: one of the three is not allowed; the message names setting and right.
        ArtifactStoreUnavailable: the store does not answer.
    """
    path, content = f"{root}/access-checks/{uuid4().hex}", b"archon"
    steps: dict[str, Callable[[], Any]] = {
        "write": lambda: _write(files, path, content),
        "read": lambda: files.cat_file(path),
        "delete": lambda: files.rm_file(path),
        "look for a missing file": lambda: _miss(files, path),
    }
    for right, step in steps.items():
        try:
            with translated_store_errors(url):
                answer = step()
        except (FileNotFoundError, ArtifactStoreRefused) as error:
            raise ArtifactStoreRefused(_refusal(url, right, error)) from None
        if right == "read" and answer != content:
            raise ArtifactStoreRefused(
                f"ARCHON_ARTIFACTS_URL {url}: what was written is read back changed; another "
                "store, or a proxy that alters bodies, stands there"
            )


def _miss(files: Any, path: str) -> None:
    # Without the right to list, S3 answers that a file which is not there is forbidden.
    with contextlib.suppress(FileNotFoundError):
        files.cat_file(f"{path}-missing")


def _write(files: Any, path: str, content: bytes) -> None:
    if "file" in files.protocol:
        files.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
    files.pipe_file(path, content)


def _refusal(url: str, right: str, error: Exception) -> str:
    if not url.startswith(("s3:", "s3a:")):
        return (
            f"ARCHON_ARTIFACTS_URL {url}: cannot {right} there ({_text(error)}); give this user "
            f"the right to {right} in that folder"
        )
    if isinstance(error, FileNotFoundError):
        bucket = url.split("://", 1)[-1].split("/", 1)[0]
        return (
            f"ARCHON_ARTIFACTS_URL {url}: there is no bucket {bucket} (cannot {right}); create it, "
            "or correct ARCHON_ARTIFACTS_URL or AWS_ENDPOINT_URL"
        )
    return (
        f"ARCHON_ARTIFACTS_URL {url}: cannot {right} ({_text(error)}); check AWS_ACCESS_KEY_ID and "
        f"AWS_SECRET_ACCESS_KEY, and give that key the right {_RIGHTS[right]} on the bucket"
    )


def _text(error: Exception) -> str:
    return without_credentials(str(error)) or type(error).__name__
