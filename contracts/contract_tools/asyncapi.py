"""The AsyncAPI 3.0 document: every topic, what is on it, and how it is keyed and kept."""

from __future__ import annotations

from typing import Any, Final

from archon_contracts import topics
from archon_contracts.base import Contract
from archon_contracts.catalogue import CONTRACTS
from archon_contracts.envelope import CONTENT_TYPE, SPEC_VERSION
from archon_contracts.topics import DAY_MS, Topic

Node = dict[str, Any]

BINDING_VERSION: Final = "0.5.0"
TRACE_PATTERN: Final = "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"

DESCRIPTION: Final = """\
Events and commands of Archon Training. A message is a CloudEvent in Kafka's binary mode: its
attributes are headers, its body is plain JSON. The Kafka key is `{tenant_id}/{entity}`, so the
order of all messages about one agent, job or worker is kept. Readers ignore fields and types that
they do not know; a breaking change gets a new topic and type version."""


def asyncapi_document(release: str) -> Node:
    """The whole document, as plain data. Payloads point at the JSON Schema files beside it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Archon Training",
            "version": release,
            "description": " ".join(DESCRIPTION.split()),
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.name: _channel(topic) for topic in topics.ALL_TOPICS},
        "operations": {
            f"{action} {topic.name}": {"action": action, "channel": _channel_ref(topic)}
            for action, group in (
                ("receive", (topics.FEEDBACK, *topics.COMMAND_TOPICS)),
                # All but the first, FEEDBACK: that one is sent by agents and received
                # by the system.
                ("send", (*topics.EVENT_TOPICS[1:], *topics.DEAD_LETTER_TOPICS)),
            )
            for topic in group
        },
        "components": {
            "messages": {
                **{contract.message_type(): _message(contract) for contract in CONTRACTS},
                "DeadLetter": DEAD_LETTER,
            },
            "schemas": {"CloudEventHeaders": CLOUD_EVENT_HEADERS},
        },
    }


def messages_on(topic: Topic) -> list[type[Contract]]:
    """The contracts that travel on a topic."""
    return [contract for contract in CONTRACTS if contract.topic == topic]


def describe_retention(topic: Topic) -> str:
    """How long records stay, in words."""
    if topic.compacted:
        return "newest of each key, for ever"
    days = topic.retention_ms // DAY_MS
    return "1 day" if days == 1 else f"{days} days"


def _channel_ref(topic: Topic) -> Node:
    return {"$ref": f"#/channels/{topic.name}"}


def _channel(topic: Topic) -> Node:
    names = [contract.message_type() for contract in messages_on(topic)] or ["DeadLetter"]
    if topic.compacted:
        retention: Node = {"cleanup.policy": ["compact"]}
    else:
        retention = {"cleanup.policy": ["delete"], "retention.ms": topic.retention_ms}
    return {
        "address": topic.name,
        "description": f"Keyed by {topic.key}. Kept: {describe_retention(topic)}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": retention,
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _message(contract: type[Contract]) -> Node:
    name = contract.message_type()
    return {
        "name": name,
        "title": contract.__name__,
        "summary": contract.__doc__,
        "contentType": CONTENT_TYPE,
        "headers": {
            "allOf": [
                {"$ref": "#/components/schemas/CloudEventHeaders"},
                {"type": "object", "properties": {"ce_type": {"const": name}}},
            ]
        },
        "payload": {"$ref": f"./schemas/{name}.json"},
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"{{tenant_id}}/{{{contract.key_field}}}"},
                "bindingVersion": BINDING_VERSION,
            }
        },
    }


def _text(description: str, **more: str) -> Node:
    return {"type": "string", "description": description, **more}


CLOUD_EVENT_HEADERS: Final[Node] = {
    "type": "object",
    "required": ["ce_type"],
    "properties": {
        "ce_specversion": {"const": SPEC_VERSION},
        "ce_type": _text("Type of message, with its major version."),
        "ce_id": _text("Id of the event; the same id is counted once. A UUID is kept as it is."),
        "ce_source": _text("Who sent it, such as agent/tool-picker."),
        "ce_time": _text("When it happened.", format="date-time"),
        "ce_subject": _text("What it is about."),
        "ce_causationid": _text("Id of the message that led to this one.", format="uuid"),
        "ce_trafficclass": _text(
            "What the event was for; absent: production. See FeedbackReceived."
        ),
        "ce_correlationid": _text("The chain of messages that it belongs to."),
        "traceparent": _text("W3C trace context.", pattern=TRACE_PATTERN),
        "tracestate": _text("W3C trace state."),
        "content-type": {"const": CONTENT_TYPE},
    },
}

DEAD_LETTER: Final[Node] = {
    "name": "DeadLetter",
    "title": "DeadLetter",
    "summary": "A record that a service could not handle: its own bytes, key and headers.",
    "headers": {
        "type": "object",
        "description": "The record's own headers, and those that say why and where it failed.",
    },
    "payload": {"description": "The original bytes, whatever they are."},
}
