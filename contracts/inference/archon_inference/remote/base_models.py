"""Base models of an object store or of the Hugging Face hub, fetched once and pinned by digest.

    s3://models/encoder#sha256=<64 hex>                    a folder, by any scheme of fsspec
    hf://owner/name@<40 hex revision>#sha256=<64 hex>      a model of the hub

Only safetensors and text files are fetched, never pickles or code. Whoever runs the services names
the sources that may be fetched from; the digest is that of `digest_of_files`.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from archon_contracts.base_model_uris import BaseModelSource, read_base_model_uri
from archon_inference.base_models import digest_of_files, is_model_folder, locate_remote_model
from archon_inference.errors import BaseModelChanged, BaseModelMissing

FETCHED_SUFFIXES: Final = frozenset({".json", ".safetensors", ".txt", ".model"})
MAXIMUM_BYTES: Final = 64 * 2**30
"""Of one model: a wrong address must not fill the disk."""


@dataclass(frozen=True, slots=True)
class RemoteModels:
    """`sources` are beginnings of addresses that may be fetched from, such as `s3://models/`."""

    sources: Sequence[str] = ()
    cache: Path | None = None

    async def fetch(self, uri: str) -> None:
        """Have the model in the cache, where `resolve_base_model` finds it; others are no concern.

        Raises:
            BaseModelMissing: the source is not allowed, or gives no model.
            BaseModelChanged: the files are not those that the address pins.
        """
        await asyncio.to_thread(self.fetch_now, uri)

    def fetch_now(self, uri: str) -> None:
        """See `fetch`."""
        try:
            source = read_base_model_uri(uri)
        except ValueError as error:
            raise BaseModelMissing(str(error)) from error
        if source.kind != "remote":
            return
        target = locate_remote_model(source, self.cache)
        if is_model_folder(target):
            return
        self._require_allowed(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=f".{target.name[:12]}-", dir=target.parent))
        try:
            _download(source, staged)
            _require_pinned(source, staged)
            staged.replace(target)
        except OSError as error:
            # Another process may have been first; its result is as good as ours.
            if not is_model_folder(target):
                raise BaseModelMissing(f"{source.name} cannot be fetched: {error}") from error
        finally:
            shutil.rmtree(staged, ignore_errors=True)

    def _require_allowed(self, source: BaseModelSource) -> None:
        if not any(source.name.startswith(allowed) for allowed in self.sources):
            raise BaseModelMissing(
                f"{source.name} is no source that base models may be fetched from; whoever runs "
                "the services adds its beginning to ARCHON_BASE_MODEL_SOURCES"
            )


def _download(source: BaseModelSource, folder: Path) -> None:
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(source.name)
        found = files.find(root, detail=True)
    except (ImportError, ValueError) as error:
        raise BaseModelMissing(f"{source.name} cannot be read: {error}") from error
    chosen = {
        PurePosixPath(path).relative_to(PurePosixPath(files._strip_protocol(root))): path
        for path in found
        if PurePosixPath(path).suffix in FETCHED_SUFFIXES
    }
    size = sum(int(found[path].get("size") or 0) for path in chosen.values())
    if size > MAXIMUM_BYTES:
        raise BaseModelMissing(f"{source.name} has {size} bytes, {MAXIMUM_BYTES} are the most")
    for relative, path in chosen.items():
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        files.get_file(path, str(target))


def _require_pinned(source: BaseModelSource, folder: Path) -> None:
    if not is_model_folder(folder):
        raise BaseModelMissing(
            f"{source.name} holds no config.json with a model.safetensors; pickles are not loaded"
        )
    found = digest_of_files(folder)
    if found != source.digest:
        raise BaseModelChanged(
            f"{source.name} holds other files than the address pins (sha256 {found} instead of "
            f"{source.digest}); look at what changed, then name the new digest"
        )
