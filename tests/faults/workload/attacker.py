"""The process of a hostile tenant: it is begun, asked how far it is, and ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from tests.faults.waiting import until
from tests.faults.workload import hostile
from tests.faults.workload.hostile import Answers

LOG_CHARACTERS = 600
"""Of what the attacker printed, the end: there a traceback names its error."""


@dataclass(frozen=True, slots=True)
class Attacker:
    """A running attacker, and the file in which it notes what it was answered."""

    process: Process
    answers: Path

    @property
    def log(self) -> Path:
        """What the attacker printed."""
        return self.answers.with_suffix(".log")

    async def began(self, *, timeout: float) -> bool:
        """Whether it noted an answer in time; False at once when it has ended."""

        async def is_decided() -> bool:
            return bool(self.read().statuses) or self.process.returncode is not None

        return await until(is_decided, timeout=timeout) and self.process.returncode is None

    def read(self) -> Answers:
        """What was answered until the last note; nothing when there is none."""
        answers = Answers()
        if self.answers.is_file():
            seen = json.loads(self.answers.read_text())
            answers.problems += seen["problems"]
            for name, counts in seen["statuses"].items():
                numbered = {int(status): count for status, count in counts.items()}
                answers.statuses[name].update(numbered)
        return answers

    def find_problems(self) -> list[str]:
        """To be asked while it should attack: why it does not, in its own words."""
        ended = self.process.returncode
        if ended is None and self.read().statuses:
            return []
        state = "is running" if ended is None else f"ended with status {ended}"
        noted = "noted answers" if self.answers.is_file() else "noted no answers"
        printed = self.log.read_text(errors="replace").strip()[-LOG_CHARACTERS:] or "nothing"
        return [f"the attacker {state}, {noted} and printed: {printed}"]


@contextlib.asynccontextmanager
async def attacker(url: str, key: str, answers: Path) -> AsyncIterator[Attacker]:
    """All attacks from a process of their own, while the block runs."""
    command = [sys.executable, "-m", hostile.__name__, url, key, str(answers)]
    with answers.with_suffix(".log").open("wb") as file:
        process = await asyncio.create_subprocess_exec(*command, stdout=file, stderr=file)
    try:
        yield Attacker(process, answers)
    finally:
        # One that has ended by itself is reported by `find_problems`, not by an error here.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
