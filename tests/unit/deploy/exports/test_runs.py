"""Runs in the formats of other tools, read back by rules written down elsewhere."""

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from deploy.exports.mlflow_runs import write_mlflow
from deploy.exports.prometheus import render_prometheus, write_prometheus
from deploy.exports.runs import ExportedPoint, ExportedRun
from deploy.exports.tensorboard import crc32c, write_tensorboard

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def point(name: str, attempt: int, step: int, value: float) -> ExportedPoint:
    return ExportedPoint(name, attempt, step, value, NOON + timedelta(seconds=step))


RUN = ExportedRun(
    job_id="0198c5a4-7d1e-7c3a-9f00-1f2e3d4c5b6a",
    agent_id="picker",
    method="continual",
    state="completed",
    created_at=NOON,
    ended_at=NOON + timedelta(minutes=1),
    version="1.1.0",
    config={"epochs": 3, "fine_tuning": "never"},
    points=(
        point("train/loss", 1, 1, 2.0),
        point("train/loss", 2, 1, 1.0),
        point("train/loss", 2, 300, 0.5),
        point("validation/accuracy", 2, 300, 0.75),
    ),
)


@pytest.mark.parametrize(
    ("content", "checksum"),
    # RFC 3720, appendix B.4, and the usual check value.
    [(bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43), (b"123456789", 0xE3069283)],
)
def test_the_checksum_is_that_of_its_standard(content: bytes, checksum: int) -> None:
    assert crc32c(content) == checksum


def records(path: Path) -> list[bytes]:
    """The events of a file, their lengths and checksums checked."""
    content, found, at = path.read_bytes(), [], 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        event = content[at + 12 : at + 12 + length]
        for part, place in ((content[at : at + 8], at + 8), (event, at + 12 + length)):
            crc = crc32c(part)
            masked = (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF
            assert struct.unpack_from("<I", content, place)[0] == masked & 0xFFFFFFFF
        found.append(event)
        at += 12 + length + 4
    return found


def test_an_attempt_is_an_event_file_of_tensorboard(tmp_path: Path) -> None:
    first, second = write_tensorboard(RUN, tmp_path)

    assert first.parent.name == "attempt-1"
    head, *events = records(second)
    assert head.endswith(b"brain.Event:2")
    assert len(events) == 3
    # step 300 as a varint, and the value as a 32-bit float
    assert b"\x10\xac\x02" in events[1]
    assert b"\x0a\x0atrain/loss\x15" + struct.pack("<f", 0.5) in events[1]


def test_a_run_is_a_folder_of_mlflow(tmp_path: Path) -> None:
    (place,) = write_mlflow(RUN, tmp_path / "mlruns")

    run = yaml.safe_load((place / "meta.yaml").read_text())
    experiment = yaml.safe_load((place.parent / "meta.yaml").read_text())
    assert (run["run_id"], run["status"], run["end_time"] - run["start_time"]) == (
        place.name,
        3,
        60_000,
    )
    assert (experiment["name"], experiment["experiment_id"]) == ("picker", place.parent.name)
    lines = (place / "metrics" / "train" / "loss").read_text().splitlines()
    milliseconds = int(NOON.timestamp() * 1000)
    assert lines == [f"{milliseconds + 1000} 1.0 1", f"{milliseconds + 300_000} 0.5 300"]
    assert (place / "metrics" / "attempt-1" / "train" / "loss").read_text().endswith("2.0 1\n")
    assert (place / "params" / "epochs").read_text() == "3"
    assert (place / "tags" / "archon.version").read_text() == "1.1.0"


def test_the_newest_values_are_prometheus_text(tmp_path: Path) -> None:
    odd = ExportedRun("j", 'a"\\b\n', "", "failed", NOON, None, points=(point("m", 1, 1, 0.25),))

    lines = list(render_prometheus([RUN, odd]))

    assert lines[1] == "# TYPE archon_run_metric gauge"
    labels = f'agent="picker",job="{RUN.job_id}",attempt="2",metric="train/loss"'
    assert f"archon_run_metric{{{labels}}} 0.5" in lines
    assert lines[-1].startswith('archon_run_metric{agent="a\\"\\\\b\\n",job="j"')
    (path,) = write_prometheus([RUN], tmp_path / "archon.prom")
    assert path.read_text().count("\n") == 5
