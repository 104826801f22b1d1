"""Content-addressed folders on any fsspec URL. Immutable, verified, published all or nothing.

A folder's manifest is the sorted JSON of {path: {sha256, bytes}}; its sha256 is the digest that
names the folder. The manifest is written last: a folder without one does not exist. Publishing
existing content checks it, and writes again what is missing, changed or unsigned: each file is
replaced atomically by content of the same digest, so concurrent publishers and readers are safe.
With a signing key the manifest is signed, and with trusted keys an unsigned one is refused.
Pickles run code when they are loaded: none is stored or returned. A folder that holds more files
than its manifest names is refused too, because libraries load files by name.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar
from uuid import uuid4

import fsspec

from archon_contracts.formats import MANIFEST_FILE, SIGNATURE_FILE
from archon_contracts.formats.manifest import (
    PARTIAL_SUFFIX,
    FileEntry,
    ManifestInvalid,
    UnsafeFile,
    build_manifest,
    check_file,
    check_unlisted,
    describe_file,
    dump_manifest,
    list_files,
    list_unlisted,
    parse_manifest,
)
from archon_contracts.pickles import pickles_in
from archon_contracts.values import ArtifactRef
from shared.artifacts.access import check_access, translated_store_errors
from shared.artifacts.copies import DEFAULT_BYTES, ArtifactCopies
from shared.artifacts.signing import Signer, TrustedKeys
from shared.errors import ArtifactCorrupt, ArtifactMissing, ArtifactUnsafe

P = ParamSpec("P")
T = TypeVar("T")


class ArtifactStore:
    """The store at one URL; file work runs in a thread."""

    def __init__(
        self,
        url: str,
        *,
        cache_dir: Path | None = None,
        signer: Signer | None = None,
        trusted: TrustedKeys | None = None,
        model_makers: TrustedKeys | None = None,
        cache_bytes: int = DEFAULT_BYTES,
    ) -> None:
        self._fs, self._root = fsspec.core.url_to_fs(url)
        self._url = url.rstrip("/")
        self._signer = signer
        self._trusted = trusted
        self._model_makers = model_makers or trusted
        # fsspec gives one name as a text and several as a tuple; `in` holds for both.
        self._local = "file" in self._fs.protocol
        self._copies = ArtifactCopies(cache_dir, max_bytes=cache_bytes)

    async def check_access(self) -> None:
        """Write, read back and delete a small file.

        Raises:
            ArtifactStoreRefused: one of them is not allowed; the message names setting and right.
            ArtifactStoreUnavailable: the store does not answer.
        """
        await asyncio.to_thread(check_access, self._fs, self._root, self._url)

    async def copy(self, ref: ArtifactRef) -> Path:
        """`fetch` of a folder that holds manifest and signature too, as the store has them now.

        For readers that check signatures themselves.
        """
        return await self._run(self._copy, ref)

    async def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        with contextlib.nullcontext() if self._local else translated_store_errors(self._url):
            return await asyncio.to_thread(work, *args, **kwargs)

    @property
    def is_local(self) -> bool:
        """Whether artifacts are read in place."""
        return self._local

    def kept_copy(self, ref: ArtifactRef) -> Path:
        """Where `copy` keeps a remote artifact; of a local store, the artifact itself."""
        return Path(self._place(ref)) if self._local else self._copies.folder(self._url, ref.digest)

    async def publish(self, folder: Path) -> ArtifactRef:
        """Store a folder's files. Files that exist are checked, and replaced where they differ.

        Raises:
            ArtifactUnsafe: a file is a pickle.
        """
        return await self._run(self._publish, folder)

    async def publish_over(self, base: ArtifactRef, folder: Path) -> ArtifactRef:
        """Store a model of which only what differs from the model `base` is in `folder`.

        The other files are those of `base`, by the hashes of its manifest: on a disk they share its
        blocks, and they are read again only by whoever fetches the result. Raises as `publish` and
        `fetch` do.
        """
        return await self._run(self._publish_over, base, folder)

    async def publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef:
        """Store files given in memory. Raises as `publish` does."""
        return await self._run(self._publish_files, files)

    async def fetch(self, ref: ArtifactRef) -> Path:
        """A local folder with the verified files. A local store is read in place.

        Raises:
            ArtifactMissing: nothing is there.
            ArtifactCorrupt: a file is missing, was changed, or is none of the manifest's.
            ArtifactUnsafe: a file is a pickle.
        """
        return await self._run(self._fetch, ref, self._trusted)

    async def fetch_model(self, ref: ArtifactRef) -> Path:
        """`fetch` of what only a trainer may have made: a model.

        Whoever may publish a dataset must not be able to pass it off as one.
        """
        return await self._run(self._fetch, ref, self._model_makers)

    async def read_model(self, ref: ArtifactRef, name: str) -> bytes:
        """One verified file of a model. Raises as `fetch` does."""
        return await self._run(self._read, ref, name, self._model_makers)

    async def locate(self, ref: ArtifactRef) -> Path:
        """The local folder of a model; of a local store's only manifest and signature are checked.

        For readers that check each file themselves before they use it. Of a remote store it is
        `fetch_model`: the check finds what the cache lacks. Raises as `fetch` does.
        """
        return await self._run(self._locate, ref)

    async def read(self, ref: ArtifactRef, name: str) -> bytes:
        """One verified file. Raises as `fetch` does."""
        return await self._run(self._read, ref, name, self._trusted)

    def _publish(self, folder: Path) -> ArtifactRef:
        if pickles := pickles_in(folder):
            raise ArtifactUnsafe(f"{', '.join(pickles)}: pickles are not stored; use safetensors")
        files = list_files(folder)
        manifest = build_manifest(files)
        digest = hashlib.sha256(manifest).hexdigest()
        place = f"{self._root}/{digest[:2]}/{digest}"
        # Parsed as readers do: a name that they refuse fails here, before anything is stored.
        for name, entry in parse_manifest(manifest).items():
            if self._digest(f"{place}/{name}") != entry["sha256"]:
                self._put(f"{place}/{name}", files[name])
        return self._seal(place, manifest, digest, files)

    def _publish_over(self, base: ArtifactRef, folder: Path) -> ArtifactRef:
        if pickles := pickles_in(folder):
            raise ArtifactUnsafe(f"{', '.join(pickles)}: pickles are not stored; use safetensors")
        source, files = self._place(base), list_files(folder)
        own = {name: describe_file(path) for name, path in files.items()}
        entries = self._manifest(source, base, self._model_makers) | own
        manifest = dump_manifest(entries)
        digest = hashlib.sha256(manifest).hexdigest()
        place = f"{self._root}/{digest[:2]}/{digest}"
        for name, entry in entries.items():
            if name in own and self._digest(f"{place}/{name}") != entry["sha256"]:
                self._put(f"{place}/{name}", files[name])
            elif name not in own:
                self._share(f"{source}/{name}", f"{place}/{name}")
        return self._seal(place, manifest, digest, entries)

    def _share(self, source: str, target: str) -> None:
        """Let a file of another artifact be one of this too: files are replaced, never written."""
        if not self._local:
            if not self._fs.exists(target):
                self._fs.copy(source, target)
            return
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except FileExistsError:
            return
        except OSError:  # another disk, or one without links
            self._put(target, Path(source))

    def _seal(self, place: str, manifest: bytes, digest: str, names: Iterable[str]) -> ArtifactRef:
        """Remove what the manifest does not name, sign it, and write it last."""
        # A local store is read in place, where a file that no manifest names makes
        # readers refuse it.
        if self._local:
            for name in list_unlisted(Path(place), names):
                (Path(place) / name).unlink(missing_ok=True)
        # Before the manifest, which makes the artifact exist: nobody may find it
        # without a signature.
        if self._signer and not self._is_signed(place, manifest, self._signer):
            self._put_bytes(f"{place}/{SIGNATURE_FILE}", self._signer.sign(manifest))
        if self._digest(f"{place}/{MANIFEST_FILE}") != digest:
            self._put_bytes(f"{place}/{MANIFEST_FILE}", manifest)
        return ArtifactRef(uri=f"{self._url}/{digest[:2]}/{digest}", digest=digest)

    def _digest(self, target: str) -> str | None:
        """The sha256 of the stored file; None: there is none."""
        try:
            with self._fs.open(target, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            return None

    def _is_signed(self, place: str, manifest: bytes, signer: Signer) -> bool:
        """Whether a trusted key signed it, or our own where none is: a valid signature is kept.

        A maker of models signs again what another role signed: the same bytes could have been
        published as a dataset before, and would then not count as a model.
        """
        trusted = self._trusted or TrustedKeys([signer.public_key])
        if self._model_makers is not None and self._model_makers.includes(signer.public_key):
            trusted = self._model_makers
        try:
            trusted.verify(manifest, self._signature(place), place)
        except ArtifactCorrupt:
            return False
        return True

    def _signature(self, place: str) -> bytes | None:
        try:
            content: bytes = self._fs.cat_file(f"{place}/{SIGNATURE_FILE}")
        except FileNotFoundError:
            return None
        return content

    def _publish_files(self, files: Mapping[str, bytes]) -> ArtifactRef:
        with tempfile.TemporaryDirectory() as temporary:
            for name, content in files.items():
                path = Path(temporary) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return self._publish(Path(temporary))

    def _put(self, target: str, path: Path) -> None:
        with self._replacing(target) as partial:
            self._fs.put_file(str(path), partial)

    def _put_bytes(self, target: str, content: bytes) -> None:
        with self._replacing(target) as partial:
            self._fs.pipe_file(partial, content)

    @contextlib.contextmanager
    def _replacing(self, target: str) -> Iterator[str]:
        """A name to write to. Object stores write whole objects; a disk needs the rename."""
        if not self._local:
            yield target
            return
        self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        # A name per writer: two publishers of the same content must not write into one file.
        partial = f"{target}.{uuid4().hex}{PARTIAL_SUFFIX}"
        yield partial
        os.replace(partial, target)

    def _fetch(self, ref: ArtifactRef, trusted: TrustedKeys | None) -> Path:
        place = self._place(ref)
        manifest, downloaded = self._manifest(place, ref, trusted), False
        folder = self.kept_copy(ref)
        for name, entry in manifest.items():
            # At every fetch, also of a cached file: others may write to the disk that it is on.
            if not self._local:
                with contextlib.suppress(ManifestInvalid):
                    check_file(folder, name, entry)
                    continue
                self._download(f"{place}/{name}", folder / name)
                downloaded = True
            with _translated(ref):
                check_file(folder, name, entry)
        with _translated(ref):
            # A copy is ours to mend; what others publish is not.
            for name in () if self._local else list_unlisted(folder, manifest):
                (folder / name).unlink(missing_ok=True)
            check_unlisted(folder, manifest)
        if downloaded:
            self._copies.trim()
        return folder

    def _copy(self, ref: ArtifactRef) -> Path:
        folder = self._fetch(ref, self._model_makers)
        if self._local:
            return folder
        place = self._place(ref)
        signature = self._signature(place)
        if signature is None:
            (folder / SIGNATURE_FILE).unlink(missing_ok=True)
        else:
            _replace(folder / SIGNATURE_FILE, signature)
        _replace(folder / MANIFEST_FILE, self._fs.cat_file(f"{place}/{MANIFEST_FILE}"))
        return folder

    def _download(self, source: str, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL_SUFFIX}")
        try:
            self._fs.get_file(source, str(partial))
            os.replace(partial, path)
        finally:
            # Half a download would count against the bound of the copies.
            partial.unlink(missing_ok=True)

    def _locate(self, ref: ArtifactRef) -> Path:
        if not self._local:
            return self._fetch(ref, self._model_makers)
        place = self._place(ref)
        self._manifest(place, ref, self._model_makers)
        return Path(place)

    def _read(self, ref: ArtifactRef, name: str, trusted: TrustedKeys | None) -> bytes:
        place = self._place(ref)
        entry = self._manifest(place, ref, trusted).get(name)
        if entry is None:
            raise ArtifactMissing(f"artifact {ref.digest[:12]} holds no file {name}")
        content: bytes = self._fs.cat_file(f"{place}/{name}")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise ArtifactCorrupt(f"{name} of artifact {ref.digest[:12]} was changed")
        return content

    def _place(self, ref: ArtifactRef) -> str:
        # The address is made from the digest, never from the message: a reference cannot
        # point outside the store.
        return f"{self._root}/{ref.digest[:2]}/{ref.digest}"

    def _manifest(
        self, place: str, ref: ArtifactRef, trusted: TrustedKeys | None
    ) -> dict[str, FileEntry]:
        try:
            content: bytes = self._fs.cat_file(f"{place}/{MANIFEST_FILE}")
        except FileNotFoundError as error:
            raise ArtifactMissing(f"there is no artifact at {ref.uri}") from error
        with _translated(ref):
            entries = parse_manifest(content, ref.digest)
        # After the hash: a signature says nothing of bytes that are not what was signed.
        if trusted:
            trusted.verify(content, self._signature(place), f"artifact {ref.digest[:12]}")
        return entries


def _replace(path: Path, content: bytes) -> None:
    partial = path.with_name(f"{path.name}.{uuid4().hex}{PARTIAL_SUFFIX}")
    partial.write_bytes(content)
    os.replace(partial, path)


@contextlib.contextmanager
def _translated(ref: ArtifactRef) -> Iterator[None]:
    """Faults of a manifest or its files as errors of the artifact."""
    try:
        yield
    except UnsafeFile as error:
        raise ArtifactUnsafe(f"artifact {ref.digest[:12]}: {error}") from error
    except ManifestInvalid as error:
        raise ArtifactCorrupt(f"artifact {ref.digest[:12]}: {error}") from error
