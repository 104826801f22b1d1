"""The broker and the database are a choice, and a wrong one leaves nothing running."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from archon_contracts.topics import FEEDBACK
from deploy.local.errors import UnusableChoiceError
from deploy.local.processes.tcp_ports import pick_free
from deploy.local.record import running
from deploy.local.runtime import Runtime
from deploy.local.servers.external import require_broker, require_database
from deploy.local.servers.service_process import PROJECT_ROOT
from deploy.local.settings import LocalSettings
from shared.settings import KafkaSecuritySettings
from tests.support.infrastructure.certificates import Authority
from tests.support.infrastructure.real_kafka import find_kafka_home, why_not

ARCHON = (sys.executable, "-c", "from deploy.cli import app; app()")
needs_kafka = pytest.mark.skipif(bool(why_not()), reason=f"no Apache Kafka here: {why_not()}")


def _refused(folder: Path, *options: str, **environment: str) -> str:
    """What `archon up` says when it refuses to start; nothing that it began runs on."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ARCHON_") and name not in {"KAFKA_HOME", "JAVA_HOME"}
    }
    result = subprocess.run(
        [*ARCHON, "up", "--data-dir", str(folder), *options],
        cwd=PROJECT_ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert not [p for p in psutil.process_iter(["cmdline"]) if str(folder) in _command(p)]
    return result.stderr


def _command(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or ())


def test_a_kafka_without_its_home_is_refused(tmp_path: Path) -> None:
    assert "KAFKA_HOME, which is not set" in _refused(tmp_path, "--broker", "kafka")


@pytest.mark.parametrize(
    ("libs", "java", "what"),
    [
        (None, "17.0.1", "holds no bin/kafka-server-start.sh and libs"),
        ("", "17.0.1", "the installation is not complete"),
        ("kafka-clients-3.9.0.jar", "17.0.1", "holds Kafka 3.9.0, and 4.0 or newer is needed"),
        ("kafka-clients-4.3.1.jar", None, "Kafka needs Java 17 or newer"),
        ("kafka-clients-4.3.1.jar", "11.0.2", "is version 11"),
    ],
)
def test_an_installation_that_cannot_be_run_is_refused(
    tmp_path: Path, libs: str | None, java: str | None, what: str
) -> None:
    home, java_home, data = (tmp_path / name for name in ("kafka", "java", "data"))
    _script(home / "bin" / "kafka-server-start.sh", "exit 1")
    if libs is not None:
        (home / "libs").mkdir()
        (home / "libs" / (libs or "other.jar")).touch()
    if java is not None:
        _script(java_home / "bin" / "java", f"echo 'openjdk version \"{java}\"' >&2")

    text = _refused(data, "--broker", "kafka", KAFKA_HOME=str(home), JAVA_HOME=str(java_home))

    assert what in text


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@needs_kafka
def test_data_of_another_cluster_is_refused_after_the_database_has_started(tmp_path: Path) -> None:
    stored = tmp_path / "kafka" / "data" / "meta.properties"
    stored.parent.mkdir(parents=True)
    stored.write_text("version=1\ncluster.id=somebodyelses\n")

    text = _refused(tmp_path, "--broker", "kafka", KAFKA_HOME=str(find_kafka_home()))

    assert "is of another Kafka cluster (somebodyelses)" in text


@needs_kafka
async def test_a_kafka_port_in_use_is_refused_after_the_database_has_started(
    tmp_path: Path,
) -> None:
    async with await asyncio.start_server(_hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        home = str(find_kafka_home())
        taken = {"KAFKA_HOME": home, "ARCHON_LOCAL_BROKER_PORT": str(port)}
        text = await asyncio.to_thread(_refused, tmp_path, "--broker", "kafka", **taken)
    assert f"Port {port}, chosen for broker, is in use" in text


def test_a_word_that_is_no_broker_is_refused(tmp_path: Path) -> None:
    assert "name embedded, kafka or HOST:PORT" in _refused(tmp_path, "--broker", "rabbit")


def test_a_broker_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "No Kafka answers at 127.0.0.1:9" in _refused(tmp_path, "--broker", "127.0.0.1:9")


def test_a_broker_port_in_use_is_refused_after_the_database_has_started(tmp_path: Path) -> None:
    taken = pick_free()
    with asyncio.Runner() as runner:
        server = runner.run(asyncio.start_server(lambda _r, _w: None, "127.0.0.1", taken))
        text = _refused(tmp_path, ARCHON_LOCAL_BROKER_PORT=str(taken))
        server.close()
    assert f"Port {taken}, chosen for broker, is in use" in text


async def test_a_broker_that_speaks_tls_when_none_is_set_is_named(tmp_path: Path) -> None:
    context = Authority(tmp_path, "ca").server_context("broker", "127.0.0.1")
    server = await asyncio.start_server(_hang_up, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        text = await asyncio.to_thread(_refused, tmp_path, "--broker", f"127.0.0.1:{port}")
    assert "ARCHON_KAFKA_SECURITY_PROTOCOL" in text


def _hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def test_a_database_that_lets_nobody_in_is_named_without_its_password() -> None:
    with pytest.raises(UnusableChoiceError, match="--database does not let us in") as refused:
        await require_database("postgresql://me:hidden@127.0.0.1:9/none")
    assert "hidden" not in str(refused.value)


@pytest.mark.parametrize("database", ["me:hid#den@h/db", "me:hid/den@h/db", "me:1:c?den@h/db"])
async def test_a_database_url_that_cannot_be_read_is_not_shown(database: str) -> None:
    with pytest.raises(UnusableChoiceError, match="percent-encoded") as refused:
        await require_database(f"postgresql://{database}")
    assert not {"hid", "den"} & set(re.findall(r"\w+", str(refused.value)))


async def test_servers_that_run_elsewhere_are_used_and_left_running(
    tmp_path: Path, empty_database_url: str, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARCHON_NAMESPACE", "elsewhere")
    settings = LocalSettings(
        data_dir=tmp_path, services=("curriculum",), broker=kafka, database=empty_database_url
    )
    async with Runtime(settings) as runtime:
        assert [each.name for each in runtime.status()] == ["curriculum"]
        assert runtime.endpoints.database_url == empty_database_url
    await require_broker(kafka, KafkaSecuritySettings())
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        assert f"elsewhere.{FEEDBACK.name}" in await consumer.topics()
    finally:
        await consumer.stop()


@needs_kafka
async def test_a_node_of_kafka_home_starts_quietly_and_keeps_its_records_over_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = find_kafka_home()
    assert home is not None
    settings = LocalSettings(data_dir=tmp_path, services=(), broker="kafka", kafka_home=home)
    async with Runtime(settings) as runtime:
        assert len([line for line in caplog.records if "Unable connect" in line.message]) <= 2
        servers = runtime.endpoints.kafka_bootstrap_servers
        async with AIOKafkaProducer(bootstrap_servers=servers, acks="all") as producer:
            await producer.send_and_wait(FEEDBACK.name, b"kept", key=b"k")
    assert running(tmp_path) is None
    async with Runtime(settings) as runtime:
        servers = runtime.endpoints.kafka_bootstrap_servers
        async with AIOKafkaConsumer(
            FEEDBACK.name, bootstrap_servers=servers, auto_offset_reset="earliest"
        ) as consumer:
            assert (await asyncio.wait_for(consumer.getone(), 20)).value == b"kept"
        runtime.kill("broker")
        # The supervisor starts it again on the same data, as it does the others.
        await asyncio.wait_for(_answers(servers), 60)


async def _answers(servers: str) -> None:
    while True:
        try:
            await require_broker(servers, KafkaSecuritySettings())
            return
        except UnusableChoiceError:
            await asyncio.sleep(1)
