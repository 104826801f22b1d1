"""A Kafka installation that cannot be used is refused in one sentence, before anything starts."""

from pathlib import Path

import pytest

from deploy.local.errors import UnusableChoiceError
from deploy.local.servers.kafka_home import KafkaHome
from deploy.local.servers.kafka_node import KafkaNode, new_cluster_id
from deploy.local.settings import LocalSettings


def _script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _java(folder: Path, version: str = "17.0.1") -> Path:
    _script(folder / "bin" / "java", f"echo 'openjdk version \"{version}\"' >&2")
    return folder


def _home(folder: Path, version: str = "4.3.1") -> Path:
    _script(folder / "bin" / "kafka-server-start.sh", "exit 1")
    (folder / "libs").mkdir()
    (folder / "libs" / f"kafka-clients-{version}.jar").touch()
    return folder


def _refusal(home: Path | None, java: Path | None) -> str:
    with pytest.raises(UnusableChoiceError) as refused:
        KafkaHome.find(home, java)
    text = str(refused.value)
    assert text.count("\n") == 0
    assert text.endswith(".")
    return text


def test_a_usable_home_says_its_version_and_java(tmp_path: Path) -> None:
    java = _java(tmp_path / "java")

    home = KafkaHome.find(_home(tmp_path / "kafka"), java)

    assert home.version == "4.3.1"
    assert home.environment(tmp_path)["JAVA_HOME"] == str(java)


def test_no_kafka_home(tmp_path: Path) -> None:
    assert "KAFKA_HOME, which is not set" in _refusal(None, _java(tmp_path))


def test_a_home_without_libs(tmp_path: Path) -> None:
    home = _home(tmp_path / "kafka")
    (home / "libs" / "kafka-clients-4.3.1.jar").unlink()
    assert "not complete" in _refusal(home, _java(tmp_path))
    (home / "libs").rmdir()
    assert "bin/kafka-server-start.sh and libs" in _refusal(home, _java(tmp_path))


def test_a_home_of_a_version_with_zookeeper(tmp_path: Path) -> None:
    home = _home(tmp_path / "kafka", "3.9.0")
    assert "holds Kafka 3.9.0, and 4.0 or newer" in _refusal(home, _java(tmp_path))


def test_no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = _home(tmp_path / "kafka")
    assert "JAVA_HOME's" in _refusal(home, tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "no java is on the path" in _refusal(home, None)


@pytest.mark.parametrize("version", ["11.0.2", "1.8.0_292"])
def test_a_java_that_is_too_old(tmp_path: Path, version: str) -> None:
    java = _java(tmp_path / "java", version)
    assert f"is version {version.split('.')[0]}" in _refusal(_home(tmp_path / "kafka"), java)


def test_a_data_folder_of_another_cluster_is_left_alone(tmp_path: Path) -> None:
    node = _node(tmp_path, "4.3.1")
    meta = tmp_path / "data" / "data" / "meta.properties"
    meta.parent.mkdir(parents=True)
    meta.write_text("version=1\ncluster.id=somebodyelses\n")

    with pytest.raises(UnusableChoiceError, match=r"of another Kafka cluster \(somebodyelses\)"):
        node._prepare_data()
    assert meta.read_text() == "version=1\ncluster.id=somebodyelses\n"


def test_data_of_a_newer_version_is_not_opened(tmp_path: Path) -> None:
    node = _node(tmp_path, "4.3.1")
    (tmp_path / "data" / "data").mkdir(parents=True)
    (tmp_path / "data" / "data" / "meta.properties").write_text("cluster.id=ours\n")
    (tmp_path / "data" / "cluster-id").write_text("ours")
    (tmp_path / "data" / "kafka-version").write_text("4.10.0")

    with pytest.raises(UnusableChoiceError, match=r"written by Kafka 4\.10\.0"):
        node._prepare_data()


def test_a_start_that_ends_in_the_format_is_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = _node(tmp_path, "4.3.1")
    (tmp_path / "data").mkdir()

    def format_and_end(cluster_id: str) -> None:
        (tmp_path / "data" / "data").mkdir()
        meta = tmp_path / "data" / "data" / "meta.properties"
        meta.write_text(f"cluster.id={cluster_id}\n")
        raise KeyboardInterrupt

    monkeypatch.setattr(node, "_format", format_and_end)
    with pytest.raises(KeyboardInterrupt):
        node._prepare_data()

    node._prepare_data()
    assert (tmp_path / "data" / "kafka-version").read_text() == "4.3.1"


def _node(tmp_path: Path, version: str) -> KafkaNode:
    home = KafkaHome.find(_home(tmp_path / "kafka", version), _java(tmp_path / "java"))
    return KafkaNode(home, tmp_path / "data", 1, 2)


def test_a_cluster_id_is_never_taken_for_an_option() -> None:
    assert all(not new_cluster_id().startswith("-") for _ in range(300))


def test_the_installation_is_named_as_kafkas_own_scripts_name_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_HOME", "/opt/kafka")
    monkeypatch.setenv("JAVA_HOME", "/opt/java")

    settings = LocalSettings()

    assert settings.kafka_home == Path("/opt/kafka")
    assert settings.java_home == Path("/opt/java")


@pytest.mark.parametrize("broker", ["embedded", "kafka", "a:9092", "a.b:1,c-d:65535"])
def test_a_broker_is_a_word_or_addresses(broker: str) -> None:
    assert LocalSettings(broker=broker).broker == broker


@pytest.mark.parametrize("broker", ["", "redis", "a", "a:", "a:1,", "a:b"])
def test_another_broker_is_refused(broker: str) -> None:
    with pytest.raises(UnusableChoiceError, match="name embedded, kafka or HOST:PORT"):
        LocalSettings(broker=broker)


def test_a_database_is_refused_without_showing_its_password() -> None:
    with pytest.raises(UnusableChoiceError) as refused:
        LocalSettings(database="mysql://me:hidden@host/db")
    assert "hidden" not in str(refused.value)
