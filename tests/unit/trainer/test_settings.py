"""Settings of the trainer."""

import pytest

from services.trainer.settings import Settings

REQUIRED = {
    "database_url": "postgresql://localhost/archon",
    "kafka_bootstrap_servers": "localhost:9092",
    "artifacts_url": "file:///artifacts",
    "health_port": 8086,
}


def test_a_worker_keeps_its_name_over_a_restart() -> None:
    assert Settings(**REQUIRED).worker_id == Settings(**REQUIRED).worker_id
    assert Settings(**REQUIRED).worker_id.endswith(":8086")


def test_a_run_leaves_cores_for_the_rest_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert Settings(**REQUIRED).trainer_threads == 4

    monkeypatch.setattr("os.cpu_count", lambda: 1)
    assert Settings(**REQUIRED).trainer_threads == 1


def test_the_environment_names_slots_and_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHON_TRAINER_SLOTS", "3")
    monkeypatch.setenv("ARCHON_TRAINER_DEVICES", '["cuda:0", "cuda:1"]')

    settings = Settings(**REQUIRED)

    assert settings.trainer_slots == 3
    assert settings.trainer_devices == ("cuda:0", "cuda:1")
