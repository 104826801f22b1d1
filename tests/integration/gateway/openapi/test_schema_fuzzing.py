"""The gateway's OpenAPI, tried by schemathesis: generated requests find nothing that it denies.

Bounded by time: the program is of the development environment, and runs beside pytest, not in it.
"""

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from tests.support.gateway.dashboard import store_retrain
from tests.support.gateway.gateway import KEY, ServedGateway
from tests.support.infrastructure.python_process import process_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

SECONDS = 15
CHECKS = (
    "not_a_server_error",
    "content_type_conformance",
    "response_schema_conformance",
    "status_code_conformance",
)
AGENT = "fuzzed"


async def test_generated_requests_get_the_answers_that_the_document_says(
    gateway: ServedGateway, tmp_path: Path
) -> None:
    program = shutil.which("st", path=str(Path(sys.executable).parent))
    assert program, "schemathesis is missing; install the development requirements"
    job = await store_retrain(gateway, AGENT)
    # So that requests find what they ask for, and not only what is not there.
    known = {"agent_id": AGENT, "job_id": job, "version": "1.1.0", "other": "1.1.0"}
    settings = "".join(f'"path.{name}" = "{value}"\n' for name, value in known.items())
    (tmp_path / "schemathesis.toml").write_text(f"[parameters]\n{settings}")

    async with process_of(
        program,
        f"--config-file={tmp_path / 'schemathesis.toml'}",
        "run",
        f"{str(gateway.http.base_url).rstrip('/')}/openapi.json",
        f"--header=Authorization: Bearer {KEY}",
        "--phases=fuzzing,stateful",
        f"--max-time={SECONDS}",
        "--max-examples=12",
        "--seed=1",
        "--no-shrink",
        "--continue-on-failure",
        "--exclude-path=/v1/events",  # a stream, which does not end
        "--request-timeout=10",
        f"--checks={','.join(CHECKS)}",
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    ) as process:
        output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()[-5_000:]
    assert b" generated, " in output
