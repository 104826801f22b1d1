"""Which secrets and folders the local runtime gives to which service."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from archon_contracts.topics import SERVICES
from deploy.local.layout import GATEWAY_HTTP
from deploy.local.record import Endpoints, RuntimeRecord
from deploy.local.runtime import SIGNING_ROLES, Runtime
from deploy.local.settings import LocalSettings
from shared.artifacts.store import ArtifactStore
from shared.errors import ArtifactCorrupt
from shared.process.service_context import build_artifacts
from shared.settings import ServiceSettings

FILES = {"model.safetensors": b"weights"}
OWN = {
    "ARCHON_GATEWAY_BOOTSTRAP_API_KEY": {"gateway"},
    "ARCHON_GATEWAY_MAC_KEY": {"gateway", "coordinator"},
    "ARCHON_DATA_PREP_SAMPLING_SECRET": {"data_prep"},
    "ARCHON_ARTIFACTS_SIGNING_KEY": set(SIGNING_ROLES),
}


@pytest.fixture
def environments(tmp_path: Path) -> dict[str, dict[str, str]]:
    """The environment of each service, of a runtime that was not started."""
    runtime = Runtime(LocalSettings(data_dir=tmp_path))
    ports = {name: 1 for name in (*SERVICES, GATEWAY_HTTP)}
    runtime._record = RuntimeRecord(
        pid=1,
        started_at="2026-03-01T00:00:00Z",
        endpoints=Endpoints(
            gateway_url="http://127.0.0.1:1",
            database_url="postgresql://x",
            kafka_bootstrap_servers="127.0.0.1:1",
            artifacts_url=(tmp_path / "artifacts").as_uri(),
        ),
        ports=ports,
        processes=[],
    )
    return {each.name: dict(each._environment) for each in runtime._service_processes(ports)}


@pytest.mark.parametrize("variable", sorted(OWN))
def test_a_secret_goes_to_the_services_that_need_it(
    environments: dict[str, dict[str, str]], variable: str
) -> None:
    assert {name for name, values in environments.items() if variable in values} == OWN[variable]


def test_checkpoints_lie_with_the_system_they_are_of(
    environments: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    assert environments["trainer"]["ARCHON_TRAINER_WORK_DIR"] == str(tmp_path / "trainer")


def test_no_two_services_sign_with_the_same_key(environments: dict[str, dict[str, str]]) -> None:
    keys = [environments[name]["ARCHON_ARTIFACTS_SIGNING_KEY"] for name in SIGNING_ROLES]

    assert len(set(keys)) == len(keys)


def store_of(environment: dict[str, str]) -> ArtifactStore:
    key = environment.get("ARCHON_ARTIFACTS_SIGNING_KEY")
    return build_artifacts(
        ServiceSettings(
            service="x",
            database_url="postgresql://x",
            kafka_bootstrap_servers="x",
            health_port=0,
            artifacts_url=environment["ARCHON_ARTIFACTS_URL"],
            artifacts_signing_key=SecretStr(key) if key else None,
            artifacts_trusted_keys=environment["ARCHON_ARTIFACTS_TRUSTED_KEYS"],
            artifacts_model_keys=environment["ARCHON_ARTIFACTS_MODEL_KEYS"],
        )
    )


@pytest.mark.parametrize("role", SIGNING_ROLES)
async def test_every_service_reads_what_another_published_but_only_a_trainers_is_a_model(
    environments: dict[str, dict[str, str]], role: str
) -> None:
    reader = store_of(environments["evaluator" if role != "evaluator" else "trainer"])

    ref = await store_of(environments[role]).publish_files(FILES)

    assert await reader.read(ref, "model.safetensors") == b"weights"
    if role == "trainer":
        assert (await reader.fetch_model(ref)).is_dir()
    else:
        with pytest.raises(ArtifactCorrupt, match="not trusted"):
            await reader.fetch_model(ref)


async def test_the_key_of_earlier_releases_goes_on_as_the_trainers(tmp_path: Path) -> None:
    (tmp_path / "signing-key").write_text("5a" * 32)

    assert Runtime(LocalSettings(data_dir=tmp_path))._signing_key("trainer") == "5a" * 32
