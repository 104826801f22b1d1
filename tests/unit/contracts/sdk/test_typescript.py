"""The TypeScript client: its own tests in Node, and its types where the checker is installed."""

import subprocess
from pathlib import Path

import pytest

from contract_tools.sdk.files import TYPESCRIPT
from tests.support.node import require_node


def run(*command: str | Path) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=TYPESCRIPT, capture_output=True, text=True, timeout=50)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_client_repeats_parses_and_refuses_as_it_says() -> None:
    node = require_node()

    printed = run(node, "--test", "test/client.test.js")

    assert "# fail 0" in printed
    assert "# pass 9" in printed


def test_the_types_fit_the_code_and_the_specification() -> None:
    checker = TYPESCRIPT / "node_modules/typescript/bin/tsc"
    if not checker.is_file():
        pytest.skip("no TypeScript compiler: run `npm ci` in contracts/typescript")

    run(require_node(), checker, "--project", "tsconfig.json")


def test_the_package_needs_nothing_to_run() -> None:
    package = (TYPESCRIPT / "package.json").read_text()
    sources = "".join(path.read_text() for path in (TYPESCRIPT / "src").glob("*.js"))

    assert '"dependencies"' not in package
    assert "from './" in sources
    assert {
        line for line in sources.splitlines() if " from '" in line and "./" not in line
    } == set()
