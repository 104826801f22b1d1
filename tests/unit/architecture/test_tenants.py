"""Every place that looks across tenants is known."""

import ast

from tests.support.sources import name_of, product_files, tree_of

LOOK_ACROSS = {
    "services/coordinator/feedback/consumer.py": "a batch of feedback is everybody's",
    "services/coordinator/feedback/count_publisher.py": "what batches counted is everybody's",
    "services/coordinator/feedback/known_agents.py": "the agents of a batch",
    "services/coordinator/scheduling/ports.py": "the tenants that slots.py asks of",
    "services/coordinator/scheduling/slots.py": "all tenants' jobs share the slots",
    "services/coordinator/store.py": "as above",
    "services/coordinator/sweeper.py": "deadlines and prunings, whoever's they are",
    "services/gateway/app.py": "old dead letters are pruned",
    "services/gateway/auth/authenticator.py": "the key says whose it is, so it is found first",
    "services/gateway/sse/event_hub.py": "the oldest events are pruned",
    "services/gateway/metrics/intake.py": "a batch of metrics is everybody's",
    "services/gateway/webhooks/sender.py": "deliveries that are due, whoever's they are",
    "services/gateway/handlers.py": "dead letters and batches of feedback",
    "services/gateway/feedback/known_agents.py": "all names, once at start",
    "services/gateway/http/transactions.py": "for the handlers",
    "services/registry/rollout/sweeper.py": "experiments whose time is over, whoever's they are",
    "services/trainer/app.py": "folders of jobs that are over",
    "shared/process/application.py": "prunings",
    "shared/postgres/database.py": "defines it",
    "shared/telemetry/store.py": "a service's spans, whoever's they are",
    "shared/postgres/tenants.py": "defines it",
    "services/gateway/dashboard/views/session.py": "a sign-in link is found before its tenant is",
}
NAMES = {"across_tenants", "EVERY_TENANT"}


def test_every_place_that_looks_across_tenants_has_a_reason() -> None:
    found = {
        name_of(path)
        for path in product_files()
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in NAMES)
        or (isinstance(node, ast.Name) and node.id in NAMES)
        or (isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) and node.name in NAMES)
    }

    assert found == set(LOOK_ACROSS)
