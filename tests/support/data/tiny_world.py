"""A small world for whole-system tests: a dozen tools, their requests, a random encoder.

Its first version knows half of the tools; corrections from production teach it the others.
"""

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

from deploy.demo.client_log import ProductionRequest

VERBS = ("play", "find", "book", "get")
THINGS = ("song", "hotel", "flight")
OLD_VERBS = VERBS[:2]
HELD_OUT = ("{} the {}", "{} {} please")
FIRST = ("{} a {}", "{} {} to me")
PRODUCTION = ("{} {} to me", "{} my {}")
TOOLS = [
    {"name": f"{verb}_{thing}", "description": f"{verb} the {thing}"}
    for verb, thing in product(VERBS, THINGS)
]
# So few items prove nothing by themselves: any gain is to pass. The gate is tested elsewhere.
GATE = {"minimum_gain": 0.0, "maximum_p_value": 1.0, "maximum_forgetting": 1.0}
# Enough for thousands of parameters to learn a dozen tools, and to lose none of them.
TRAINING = {
    "epochs": 100,
    "batch_size": 8,
    "learning_rate": 0.01,
    "frozen_layers": 0,
    "fine_tuning": "always",
}


def items(requests: Sequence[str], verbs: Sequence[str] = VERBS) -> list[dict[str, Any]]:
    """A request per wording and tool."""
    return [
        {
            "input": request.format(verb, thing),
            "target": f"{verb}_{thing}",
            "group": "old" if verb in OLD_VERBS else "new",
        }
        for request, verb, thing in product(requests, verbs, THINGS)
    ]


def held_out_items() -> list[dict[str, Any]]:
    """What models are compared on; no other part of this world is worded like it."""
    return items(HELD_OUT)


def first_items() -> list[dict[str, Any]]:
    """What the first version learns from: half of the tools."""
    return items(FIRST, OLD_VERBS)


def tiny_model(folder: Path) -> str:
    """The URI of an encoder that knows these words."""
    # Imported here: it brings torch, which most tests do without.
    from tests.support.training.tiny_models import tiny_encoder

    return tiny_encoder(folder).as_uri()


def agent(agent_id: str, base_model: str, *, steps: int) -> dict[str, Any]:
    """A selector whose retrain is triggered by all of `corrections`."""
    return {
        "agent_id": agent_id,
        "kind": "selector",
        "base_model": base_model,
        "catalogue": TOOLS,
        "evaluation_dataset": "held-out",
        "trigger": {"minimum_feedback": len(corrections(agent_id)), "cooldown_seconds": 0},
        "gate": GATE,
        # What is tested with this agent is the window's retrain, with steps to kill and resume.
        "fast_path": {"enabled": False},
        "training": {**TRAINING, "max_steps": steps, "checkpoint_steps": 5},
    }


def corrections(agent_id: str) -> list[dict[str, Any]]:
    """Feedback events of production requests for all tools, each with the right answer."""
    return [
        {
            "agent_id": agent_id,
            "interaction_id": f"{agent_id}-{number}",
            "input": request["input"],
            "actual": TOOLS[0]["name"],
            "expected": request["target"],
        }
        for number, request in enumerate(items(PRODUCTION))
    ]


def production_requests(agent_id: str) -> list[ProductionRequest]:
    """The same requests as an agent reads them, with what their users will say."""
    return [
        ProductionRequest(
            request_id=each["interaction_id"], input=each["input"], correction=each["expected"]
        )
        for each in corrections(agent_id)
    ]
