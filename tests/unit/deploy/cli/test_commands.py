"""The command line: help for everything, one sentence for every failure."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app

COMMANDS = [
    "up", "setup", "demo", "quickstart", "open", "watch", "status",
    "trace", "topics", "feedback send", "feedback count",
    "jobs list", "jobs show", "jobs watch", "jobs cancel", "models list", "models show",
    "models history", "models deployed", "models compare", "models rollback", "models deploy",
    "models lineage", "models archive", "models protect", "models retain", "models live",
    "models card", "models export", "models import", "models reproduce", "jobs rerun",
    "runs list", "runs show", "runs compare", "runs plot", "runs export",
    "benchmark", "validate", "benchmarks show", "benchmarks cancel",
    "evaluate", "serve", "dlq list", "dlq show", "dlq replay",
    "audit list", "audit verify",
    "keys create", "keys list", "keys revoke",
]  # fmt: skip
NOBODY = "http://127.0.0.1:9"  # the discard port: nothing listens there


@pytest.fixture(autouse=True)
def nothing_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCHON_LOCAL_DATA_DIR", str(tmp_path))
    for name in ("ARCHON_URL", "ARCHON_API_KEY", "ARCHON_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples_and_a_json_form(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"})

    assert result.exit_code == 0
    assert "Examples" in result.output
    assert "--json" in result.output


def test_the_help_of_feedback_count_says_that_duplicates_count_once() -> None:
    result = CliRunner().invoke(app, ["feedback", "count", "--help"], env={"COLUMNS": "200"})

    assert "an event that was sent again counts once" in result.output


def test_a_command_without_a_system_says_how_to_start_one() -> None:
    result = CliRunner().invoke(app, ["jobs", "list"])

    assert result.exit_code == 1
    assert result.stderr.startswith("archon: No system is running in ")
    assert "archon up" in result.stderr


def test_an_unreachable_gateway_is_reported_in_one_line() -> None:
    result = CliRunner().invoke(app, ["status", "--url", NOBODY])

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert NOBODY in result.stderr


def test_setup_names_the_variables_that_it_needs() -> None:
    result = CliRunner().invoke(app, ["setup"])

    assert result.exit_code == 1
    assert "ARCHON_DATABASE_URL" in result.stderr


def test_a_wrong_option_is_a_usage_error() -> None:
    assert CliRunner().invoke(app, ["jobs", "list", "--colour", "red"]).exit_code == 2


def test_feedback_needs_one_event_or_a_file() -> None:
    result = CliRunner().invoke(app, ["feedback", "send", "tool-picker", "--url", NOBODY])

    assert result.exit_code == 1
    assert "either --input" in result.stderr


def test_a_feedback_file_with_a_bad_line_names_the_line(tmp_path: Path) -> None:
    file = tmp_path / "feedback.jsonl"
    file.write_text(json.dumps({"input": "a", "rating": 5}) + "\n{oops\n")

    result = CliRunner().invoke(
        app, ["feedback", "send", "tool-picker", "--file", str(file), "--url", NOBODY]
    )

    assert result.exit_code == 1
    assert "Line 2" in result.stderr


def test_setup_prints_the_commands_that_grant_each_role_its_rights() -> None:
    result = CliRunner().invoke(app, ["setup", "--print-grants", "--principal", "User:acme-{role}"])

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert len(lines) > 50
    assert all(line.startswith("kafka-acls.sh --bootstrap-server ") for line in lines)
    assert any(
        "User:acme-data-prep --operation Write --topic archon.datasets.v1" in each for each in lines
    )


def test_setup_refuses_one_principal_for_all_roles() -> None:
    result = CliRunner().invoke(app, ["setup", "--print-grants", "--principal", "User:archon"])

    assert result.exit_code == 1
    assert "{role}" in result.output
