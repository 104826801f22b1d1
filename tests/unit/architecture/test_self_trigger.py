"""Feedback comes from outside: no part of the system may send any of its own."""

import ast
from pathlib import Path

from tests.support.sources import name_of, product_files, tree_of

FEEDBACK_CLIENTS = {"KafkaFeedbackClient", "HttpFeedbackClient"}
FEEDBACK_BODIES = {
    "FeedbackReceived",
    "FeedbackRetracted",
    "InteractionLogged",
    "AnnotationSubmitted",
}
PASSES_ON = {"services/gateway/functions/service.py"}  # what a caller of adaptAgentBehavior gave
SERVICES = [path for path in product_files() if name_of(path).startswith(("services/", "shared/"))]


def test_no_service_holds_a_client_that_sends_feedback() -> None:
    holders = [name_of(path) for path in SERVICES if _names(path) & FEEDBACK_CLIENTS]

    assert holders == []


def test_no_service_makes_events_of_the_feedback_topic() -> None:
    makers = {name_of(path) for path in SERVICES if _made(path) & FEEDBACK_BODIES}

    assert makers <= PASSES_ON


def test_the_check_sees_what_it_looks_for() -> None:
    assert {name_of(path) for path in SERVICES if _made(path) & FEEDBACK_BODIES} >= PASSES_ON


def _names(path: Path) -> set[str]:
    return {node.id for node in ast.walk(tree_of(path)) if isinstance(node, ast.Name)}


def _made(path: Path) -> set[str]:
    """What is called by name, or validated from values rather than read from bytes."""
    made = set()
    for node in ast.walk(tree_of(path)):
        match node:
            case ast.Call(func=ast.Name(id=name)):
                made.add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="model_validate")):
                made.add(name)
    return made
