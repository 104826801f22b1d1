import subprocess
from pathlib import Path

import pytest

from tests.house.__main__ import table
from tests.house.body_parses import count_body_parses
from tests.house.report import REACH, measure, measure_revision, read_test_seconds


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "a.py").write_text("A = 1\n")
    (tmp_path / "README.md").write_text("# Title\n")
    commit = ["-c", "user.name=A", "-c", "user.email=a@example.org", "commit", "-qm", "First"]
    for command in (["init", "-q"], ["add", "."], commit):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_every_figure_but_the_test_time_is_measured(repository: Path) -> None:
    assert set(measure(repository)) | set(count_body_parses()) == set(REACH) - {"test seconds"}


def test_each_process_parses_a_feedback_body_once_and_the_export_once_more() -> None:
    assert count_body_parses() == {
        "parses of a feedback body, over Kafka": 2,
        "parses of a feedback body, over HTTP": 3,
    }


def test_a_revision_is_measured_as_it_was_committed(repository: Path) -> None:
    (repository / "shared" / "b.py").write_text("B = 1\n")

    assert measure(repository)["modules per folder, max"] == 2
    assert measure_revision("HEAD", repository)["modules per folder, max"] == 1


def test_an_unknown_revision_is_an_error(repository: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        measure_revision("nothing-of-that-name", repository)


def test_test_seconds_are_read_from_a_junit_report(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text('<testsuites><testsuite time="12.5"/></testsuites>')

    assert read_test_seconds(report) == 12.5


def test_trees_stand_side_by_side_with_what_is_to_be_reached() -> None:
    lines = table({"old": {"words of the table": 6135.0}, "new": {}}).splitlines()

    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "figure",
        "old",
        "new",
        "reach",
    ]
    assert any("6135" in line and "words of the table" in line for line in lines)
