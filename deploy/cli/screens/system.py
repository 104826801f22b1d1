"""The state of a system on one screen: processes, agents, jobs, and what somebody must look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.cli.output import ago, coloured
from deploy.local.processes.status import ProcessState, ProcessStatus
from deploy.printable import printable

MOST_AGENTS: Final = 8
MOST_JOBS: Final = 6
BAR: Final = 16
Status = Mapping[str, Any]


def build_status_screen(
    status: Status,
    here: Sequence[ProcessStatus],
    problems: Mapping[str, Mapping[str, str]],
    agents: Sequence[Status] = (),
) -> RenderableType:
    """One screen: a line each for processes, work and storage, then the agents and the problems."""
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="bold", no_wrap=True)
    lines.add_column(overflow="fold")
    for name, text in _describe(status, here):
        lines.add_row(name, text)
    parts: list[RenderableType] = [lines]
    if agents:
        parts += [Text(), build_agent_table(agents)]
    for parked in status.get("parked_agents") or ():
        reason = f"{parked.get('agent_id')} begins no retrain: {parked.get('reason')}"
        parts.append(_warning(reason))
    for name, wrong in problems.items():
        parts += [_warning(f"{name} {check}: {reason}") for check, reason in wrong.items()]
    if not problems and not status.get("parked_agents"):
        parts.append(Text("nothing needs attention", style="green"))
    return Group(*parts)


def build_agent_table(agents: Sequence[Status]) -> Table:
    """Agents with what is deployed and what their users gave."""
    made = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    made.add_column("agent", overflow="fold")
    for name, justify in (("version", "left"), ("deployed", "right"), ("feedback", "right")):
        made.add_column(name, justify="right" if justify == "right" else "left", no_wrap=True)
    made.add_column("stars", justify="right", no_wrap=True)
    made.add_column("now", no_wrap=True)
    for agent in agents[:MOST_AGENTS]:
        totals = agent.get("feedback_totals") or {}
        stars = totals.get("mean_rating")
        made.add_row(
            _text(agent["agent_id"]),
            _text(agent.get("deployed_version")),
            ago((agent.get("deployed") or {}).get("deployed_at")),
            f"{totals.get('feedback', 0):,}",
            "-" if stars is None else f"{stars:.2f}",
            _activity(agent),
        )
    if len(agents) > MOST_AGENTS:
        made.caption = f"and {len(agents) - MOST_AGENTS} more: GET /v1/agents"
    return made


def build_job_table(jobs: Sequence[Status]) -> Table:
    """Jobs with how far they are."""
    made = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("job", "agent", "state", "progress", "since"):
        made.add_column(name, no_wrap=name != "agent", overflow="fold")
    for job in jobs[:MOST_JOBS]:
        made.add_row(
            # The end of a UUIDv7 is random; its beginning is the time.
            _text(f"…{str(job['job_id'])[-8:]}"),
            _text(job["agent_id"]),
            coloured(job["state"]),
            _progress(job),
            ago(job.get("state_at") or job["created_at"]),
        )
    if not made.row_count:
        made.caption = "no job yet"
    return made


def build_loop_screen(status: Status, agents: Sequence[Status], jobs: Sequence[Status]) -> Group:
    """The loop as it turns: feedback, jobs, deployed versions."""
    totals = status.get("feedback_totals") or {}
    head = Text.assemble(
        ("feedback ", "bold"),
        f"{totals.get('feedback', 0):,}",
        ("   open jobs ", "bold"),
        str(sum((status.get("open_jobs") or {}).values())),
        ("   dead letters ", "bold"),
        _count(status.get("dead_letters", 0)),
    )
    return Group(head, Text(), build_agent_table(agents), Text(), build_job_table(jobs))


def _describe(status: Status, here: Sequence[ProcessStatus]) -> list[tuple[str, Text]]:
    lines: list[tuple[str, Text]] = []
    if here:
        lines.append(("processes", _processes(here)))
    workers = status.get("workers")
    if workers is not None:
        slots, busy = (sum(each.get(name, 0) for each in workers) for name in ("slots", "busy"))
        lines.append(("workers", Text(f"{len(workers)}, {busy} of {slots} slots busy")))
    open_jobs = status.get("open_jobs") or {}
    jobs = ", ".join(f"{count} {state}" for state, count in open_jobs.items()) or "none"
    lines.append(("open jobs", Text(printable(jobs))))
    totals = status.get("feedback_totals") or {}
    counted = ", ".join(
        f"{totals[name]:,} {word}"
        for name, word in (
            ("feedback", "stored"),
            ("corrected", "corrections"),
            ("rated", "ratings"),
            ("interactions", "interactions"),
        )
        if totals.get(name)
    )
    lines.append(("feedback", Text(counted or "none")))
    if "dead_letters" in status:
        lines.append(("dead letters", _count(status["dead_letters"])))
    age = status.get("outbox_age_seconds")
    if age:
        lines.append(("outbox", Text(f"oldest {age:.1f} s")))
    if status.get("kafka") not in (None, "connected"):
        lines.append(("kafka", Text(printable(str(status["kafka"])), style="red")))
    shed = status.get("shedding")
    if shed:
        lines.append(("shedding", Text(printable(str(shed)), style="yellow")))
    return lines


def _processes(here: Sequence[ProcessStatus]) -> Text:
    memory = sum(each.rss_mb or 0 for each in here)
    restarts = sum(each.restarts for each in here)
    away = [f"{each.name} {each.state}" for each in here if each.state is not ProcessState.READY]
    text = Text(f"{len(here) - len(away)} of {len(here)} ready, {memory:,.0f} MB")
    if restarts:
        text.append(f", {restarts} restarts", style="yellow")
    if away:
        text.append(f"; {', '.join(away)}", style="red")
    return text


def _progress(job: Status) -> str:
    steps = job.get("progress") or {}
    if job.get("state") != "training" or not steps.get("total_steps"):
        return _text(job.get("version"))
    done = min(steps.get("step", 0) / steps["total_steps"], 1.0)
    filled = round(done * BAR)
    return f"{'━' * filled}{'┄' * (BAR - filled)} {done:.0%}"


def _activity(agent: Status) -> Text:
    if agent.get("parked"):
        return Text("parked", style="yellow")
    return Text("training", style="cyan") if agent.get("open_job") else Text("serving", "green")


def _count(letters: int | Mapping[str, int]) -> Text:
    """Dead letters that nobody has replayed; the gateway counts them by service."""
    if not isinstance(letters, Mapping):
        return Text(f"{letters:,}", style="red" if letters else "")
    number = sum(letters.values())
    named = ", ".join(f"{count} of {service}" for service, count in letters.items() if count)
    return Text(
        f"{number:,}" + (f" ({printable(named)})" if named else ""), "red" if number else ""
    )


def _warning(text: str) -> Text:
    return Text(f"! {printable(text)}", style="yellow")


def _text(value: Any) -> str:
    return printable(str(value)) if value not in (None, "") else "-"
