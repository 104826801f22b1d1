"""Artifacts on S3, by moto's server: every fault is an error of ours, and work goes on after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.artifacts.signing import Signer, TrustedKeys
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactStoreRefused, ArtifactStoreUnavailable
from tests.support.object_store import ObjectStore, find_moto

FILES = {"model.txt": b"weights" * 1000, "deep/card.json": b"{}"}
SIGNER = Signer("11" * 32)
pytestmark = pytest.mark.skipif(
    find_moto() is None, reason="moto's S3 server is not installed (pip install 'moto[s3,server]')"
)


@pytest.fixture(scope="module")
def server() -> Iterator[ObjectStore]:
    started = ObjectStore(find_moto() or "")
    started.make_bucket("models")
    yield started
    started.close()


@pytest.fixture
def artifacts(
    server: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ArtifactStore]:
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
        # A body with its length and no trailer, which the door before the server reads.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    }.items():
        monkeypatch.setenv(name, value)
    yield open_store("s3://models/archon", tmp_path)
    server.fault, server.seconds = None, 0.0


def open_store(url: str, cache: Path) -> ArtifactStore:
    store = ArtifactStore(
        url, cache_dir=cache, signer=SIGNER, trusted=TrustedKeys([SIGNER.public_key])
    )
    store._fs.retries = 1
    return store


async def test_artifacts_are_stored_read_and_checked(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    await artifacts.check_access()
    ref = await artifacts.publish_files(FILES)
    folder = await artifacts.fetch(ref)
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert await artifacts.publish_files(FILES) == ref


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("AccessDenied", ArtifactStoreRefused),
        ("SlowDown", ArtifactStoreUnavailable),
        ("half an upload", ArtifactStoreUnavailable),
    ],
)
async def test_a_publication_that_met_a_fault_succeeds_after_it(
    server: ObjectStore, artifacts: ArtifactStore, fault: str, error: type[Exception]
) -> None:
    files = FILES | {"name.txt": fault.encode()}
    server.fault = fault
    with pytest.raises(error):
        await artifacts.publish_files(files)
    server.fault = None
    folder = await artifacts.fetch(await artifacts.publish_files(files))
    assert (folder / "name.txt").read_bytes() == fault.encode()


async def test_a_slow_store_is_waited_for(server: ObjectStore, artifacts: ArtifactStore) -> None:
    server.seconds = 0.3
    assert (await artifacts.publish_files({"slow.txt": b"slow"})).digest


async def test_a_key_without_the_right_is_named_at_start(
    server: ObjectStore, artifacts: ArtifactStore
) -> None:
    server.fault = "AccessDenied"
    with pytest.raises(ArtifactStoreRefused, match=r"AWS_ACCESS_KEY_ID.*s3:PutObject"):
        await artifacts.check_access()


async def test_a_bucket_that_is_not_there_is_named_at_start(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactStoreRefused, match="there is no bucket absent"):
        await open_store("s3://absent/archon", tmp_path).check_access()


async def test_a_store_that_ended_is_unavailable_and_no_traceback(
    artifacts: ArtifactStore, tmp_path: Path
) -> None:
    ended = ObjectStore(find_moto() or "")
    ended.close()
    store = ArtifactStore("s3://models/other", cache_dir=tmp_path)
    store._fs = type(store._fs)(endpoint_url=ended.url, skip_instance_cache=True)
    store._fs.retries = 1
    with pytest.raises(ArtifactStoreUnavailable, match="does not answer"):
        await store.check_access()
