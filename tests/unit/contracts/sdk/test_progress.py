"""The progress line of a job, and the parser of event streams."""

import io
from contextlib import aclosing
from typing import Any

import httpx

from archon_contracts.client import AsyncArchon
from archon_contracts.client.sdk.answers.jobs import JobInfo
from archon_contracts.client.sdk.progress import ProgressLine, describe, fraction_done
from archon_contracts.client.sdk.server_events import EventStreamParser
from archon_contracts.events import JobState


def job(state: str, **fields: Any) -> JobInfo:
    known = {"agent_id": "a", "attempt": 1, "reason": "", "trace_id": "", "history": []}
    times = {"created_at": "2026-01-01T00:00:00Z", "stage_seconds": {}}
    return JobInfo.model_validate(
        {"job_id": "0198c0de-0000-7000-8000-000000000001", "state": state, **known, **times}
        | {"method": None, "config": {}, **fields}
    )


def test_progress_grows_along_the_states_and_the_steps() -> None:
    states = [state for state in JobState if not state.is_final]
    done = [fraction_done(job(state)) for state in states]
    half = {"attempt": 1, "step": 150, "total_steps": 300, "loss": 0.4123, "eta_seconds": 12.4}

    training = job("training", progress=half)
    assert done == sorted(set(done))
    assert done[states.index(JobState.TRAINING)] < fraction_done(training)
    assert fraction_done(training) < done[states.index(JobState.EVALUATING)]
    assert describe(training).endswith("training step 150/300 loss 0.412 12 s left")
    assert fraction_done(job("completed")) == 1.0
    assert fraction_done(job("a state of a newer gateway")) == 0.0


def test_a_log_gets_one_line_for_each_state() -> None:
    stream = io.StringIO()
    show = ProgressLine(stream)

    for state in ("queued", "queued", "training", "completed"):
        show(job(state, version="1.0.0" if state == "completed" else None))

    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["queued", "training", "completed"]
    assert lines[-1].endswith("1.0.0")
    assert "\x1b" not in stream.getvalue()


def test_an_event_stream_is_parsed_as_the_standard_says() -> None:
    parser = EventStreamParser()
    lines = (
        *(": ping", ""),
        *("id: 1", "event: ModelDeployed", 'data: {"version":', 'data: "1.0.0"}', ""),
        *("event: EventsMissed", 'data: {"detail": "gone"}', ""),
        *("data: 3", ""),
    )

    events = [event for line in lines if (event := parser.add_line(line)) is not None]

    assert [(event.type, event.id) for event in events] == [
        ("ModelDeployed", "1"),
        ("EventsMissed", "1"),
        ("message", "1"),
    ]
    assert events[0].data == {"version": "1.0.0"}
    assert events[2].data == {"value": 3}


async def test_a_lost_event_stream_goes_on_after_the_last_whole_event() -> None:
    bodies = [
        'id: 1\nevent: ModelDeployed\ndata: {"n":1}\n\nid: 9\ndata: {',
        'id: 2\nevent: JobCompleted\ndata: {"n":2}\n\n',
    ]
    resumed: list[str | None] = []

    def stream(request: httpx.Request) -> httpx.Response:
        resumed.append(request.headers.get("Last-Event-ID"))
        return httpx.Response(200, text=bodies.pop(0))

    transport = httpx.MockTransport(stream)
    found = []
    async with (
        AsyncArchon("http://gateway", "key", transport=transport) as archon,
        aclosing(archon.events(agent_id="a")) as events,
    ):
        async for event in events:
            found.append((event.id, event.type, event.data))
            if len(found) == 2:
                break

    assert found == [("1", "ModelDeployed", {"n": 1}), ("2", "JobCompleted", {"n": 2})]
    assert resumed == [None, "1"]
