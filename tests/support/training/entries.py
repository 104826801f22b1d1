"""Entries for child processes: small stand-ins for trainings."""

import gc
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opentelemetry import trace

Report = Callable[[dict[str, Any]], None]
IMPORTED_WITH_COLLECTOR = gc.isenabled()


def double(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Report once inside a span, then answer."""
    with trace.get_tracer(__name__).start_as_current_span("doubling"):
        report({"event": "half-way"})
    return {"answer": spec["number"] * 2, "pid": os.getpid()}


def show_collector(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Whether the garbage collector ran while this module was imported, runs now, and on what."""
    return {
        "imported": IMPORTED_WITH_COLLECTOR,
        "now": gc.isenabled(),
        "out_of_sight": gc.get_freeze_count() > 0,
    }


def refuse(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Say why it cannot be done."""
    raise ValueError(f"number {spec['number']} is odd")


def die(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """End without an answer, as an out-of-memory kill does."""
    os.kill(os.getpid(), 9)
    return {}


def hang(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Run for a long time after reporting its process id."""
    report({"pid": os.getpid()})
    time.sleep(60)
    return {}


def answer_at_length(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answer with more text than a pipe holds."""
    return {"text": "x" * int(spec["length"])}


_runs = 0


def count_runs(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """Answer how many runs this process has done."""
    global _runs
    _runs += 1
    with trace.get_tracer(__name__).start_as_current_span("counting"):
        return {"runs": _runs, "pid": os.getpid()}


def show_environment(spec: dict[str, Any], report: Report) -> dict[str, Any]:
    """The environment as the child has it now, and as the kernel keeps it from its start."""
    started_with = Path("/proc/self/environ").read_bytes().decode(errors="replace")
    return {"now": dict(os.environ), "started_with": started_with}
