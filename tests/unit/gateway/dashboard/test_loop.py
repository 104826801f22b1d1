"""The loop of the overview: what is counted of the agents that it shows."""

from typing import Any
from uuid import UUID

from services.gateway.dashboard.loop import build_loop
from services.gateway.dashboard.queries import AgentRow


def agent(name: str, **fields: Any) -> AgentRow:
    absent = dict.fromkeys(AgentRow.model_fields)
    stated = {"kind": "classifier", "minimum_feedback": 600, "maximum_feedback": 10_000}
    return AgentRow(**absent | stated | {"agent_id": name, "trigger_enabled": True} | fields)


def test_the_loop_counts_what_is_where() -> None:
    parts = build_loop(
        [
            agent("a", feedback=500, unused=412, version="1.0.0", open_state="training"),
            agent("b", feedback=7, unused=3, open_state="training", experiment_id=UUID(int=1)),
            agent("c", experiment_mode="ab_test"),
        ]
    )

    assert [(part.title, part.count) for part in parts] == [
        ("Feedback", 507),
        ("Unused", 415),
        ("Jobs", 2),
        ("Experiments", 1),
        ("Deployed", 1),
    ]
    assert parts[1].detail == "nearest to a retrain: a"
    assert (parts[2].detail, parts[2].active) == ("2 training", True)
    assert parts[3].detail == "1 ab test"


def test_an_agent_whose_trigger_is_off_is_not_near_to_a_retrain() -> None:
    parts = build_loop([agent("a", unused=599, trigger_enabled=False), agent("b", unused=1)])

    assert parts[1].detail == "nearest to a retrain: b"


def test_a_retrain_begins_at_the_most_that_a_window_holds() -> None:
    assert agent("a", maximum_feedback=50).fires_at == 50
