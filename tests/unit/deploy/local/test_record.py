"""`runtime.json`: what other processes and the next start learn from it."""

import stat
from datetime import UTC, datetime

from deploy.local import lock, record
from deploy.local.processes.status import ProcessState, ProcessStatus
from deploy.local.record import Endpoints, RuntimeRecord

ENDPOINTS = Endpoints(
    gateway_url="http://127.0.0.1:1",
    database_url="postgresql://archon:secret@127.0.0.1:2/archon",
    kafka_bootstrap_servers="127.0.0.1:3",
    artifacts_url="file:///artifacts",
)


def a_record(**changes):
    gone = ProcessStatus(name="trainer", pid=2**22, state=ProcessState.READY, restarts=0, port=4)
    plain = RuntimeRecord(
        pid=1,
        started_at=datetime(2030, 1, 1, tzinfo=UTC),
        endpoints=ENDPOINTS,
        ports={"postgres": 2},
        processes=[gone],
    )
    return plain.model_copy(update=changes)


def test_what_was_saved_is_loaded(tmp_path):
    a_record().save(tmp_path)

    assert RuntimeRecord.load(tmp_path) == a_record()


def test_a_directory_where_nothing_was_started_has_no_record(tmp_path):
    assert RuntimeRecord.load(tmp_path) is None
    assert record.running(tmp_path) is None


def test_only_its_owner_can_read_the_record(tmp_path):
    a_record().save(tmp_path)

    assert stat.S_IMODE((tmp_path / "runtime.json").stat().st_mode) == 0o600


def test_a_record_left_by_a_killed_runtime_is_not_running(tmp_path):
    with lock.exclusive(tmp_path):
        a_record().save(tmp_path)

    assert record.running(tmp_path) is None


def test_a_process_that_is_gone_is_shown_as_stopped(tmp_path):
    with lock.exclusive(tmp_path):
        a_record().save(tmp_path)

        (trainer,) = record.running(tmp_path).processes

    assert trainer.state is ProcessState.STOPPED
    assert not trainer.ready
