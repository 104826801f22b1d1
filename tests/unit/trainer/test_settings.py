"""Settings of the trainer."""

from pathlib import Path

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


def test_two_deployments_on_a_machine_have_work_folders_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    other = REQUIRED | {"database_url": "postgresql://localhost/other"}

    # Else each would remove the checkpoints of the other's running jobs, or continue from them.
    assert Settings(**REQUIRED).work_dir != Settings(**other).work_dir
    assert Settings(**REQUIRED).work_dir == Settings(**REQUIRED).work_dir
    assert Settings(**REQUIRED, trainer_work_dir=tmp_path / "own").work_dir == tmp_path / "own"


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
