"""Writes the reference tables (routes, settings, metrics) and the generated parts of the SDKs.

python -m tests.reference           write them
python -m tests.reference --check   fail when one is not current
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from fastapi import FastAPI
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from archon_contracts.topics import SERVICES
from contract_tools.api_reference import build_api_reference
from contract_tools.sdk.files import build_sdk_files
from deploy.kafka_access import build_table
from services.evaluator.metrics.specification import build_metrics_table
from services.gateway.routes import build_http
from services.gateway.routes.dependencies import GatewayApi
from shared.settings import ServiceSettings

ROOT: Final = Path(__file__).parents[1]
ROUTES_FILE: Final = ROOT / "services/gateway/ROUTES.md"
HANDBOOK_API_FILE: Final = ROOT / "contracts/handbook/api.md"
ACCESS_FILE: Final = ROOT / "deploy/KAFKA-RIGHTS.md"
TABLE_START: Final = "<!-- settings: written by tests.reference -->"
TABLE_END: Final = "<!-- end of settings -->"
METRICS_START: Final = "<!-- metrics: written by tests.reference -->"
METRICS_END: Final = "<!-- end of metrics -->"
NO_SETTINGS: Final = "Those of every service (`shared/settings.py`), none of its own."


ACCESS_PAGE: Final = """# Rights on Kafka, by role

Written by `python -m tests.reference` from `deploy/kafka_access.py`; a test compares that with what
each service makes and subscribes to. Names are without `archon.` before them and without a
namespace.

Give each service a user of its own and grant this alone. `archon setup --print-grants` prints the
commands for `kafka-acls.sh`, `archon setup --grant` applies them where the broker keeps ACLs
(Apache Kafka with an authorizer; the embedded broker has none, and says so).
`--principal 'User:acme-{role}'` names the users; in a role's name `_` becomes `-`. Read and Write
include Describe. No role needs a transactional id, and Write is all that an idempotent producer
needs.

What the gateway writes beyond commands, feedback and audit entries is for replays: an operator may
send a dead letter of any service to its topic again. Whoever may write to a topic is believed by
its readers, but for what needs an API key's scope (`ARCHON_GATEWAY_MAC_KEY`, see services/gateway).

TABLE
"""


def build_application() -> FastAPI:
    """The gateway's routes; none is called, so nothing is behind them."""
    collaborators: dict[str, Any] = dict.fromkeys(each.name for each in fields(GatewayApi))
    collaborators["settings"] = SimpleNamespace(
        gateway_body_limit_bytes=1024, gateway_body_timeout_seconds=5
    )
    return build_http(GatewayApi(**collaborators))


def build_openapi() -> dict[str, Any]:
    """What `/openapi.json` answers."""
    document: dict[str, Any] = build_application().openapi()
    return document


def build_routes_page() -> str:
    """Every route with the scope of the key that it needs, and its first sentence."""
    lines = [
        "# Routes of the gateway",
        "",
        "Written by `python -m tests.reference` from the OpenAPI document (`/openapi.json`), which",
        "has every parameter and body.",
        "",
        "| request | scope | what it does |",
        "|---|---|---|",
    ]
    for path, operations in build_openapi()["paths"].items():
        for method, operation in operations.items():
            lines.append(_describe_route(f"{method.upper()} {path}", operation))
    return "\n".join(lines) + "\n"


def build_access_page() -> str:
    """Which role has which rights on Kafka."""
    return ACCESS_PAGE.replace("TABLE", build_table())


def _describe_route(request: str, operation: Mapping[str, Any]) -> str:
    scopes = {scope for each in operation["security"] for scope in each["ApiKey"]}
    meaning = " ".join(operation["description"].split("\n\n")[0].split())
    return f"| `{request}` | {', '.join(sorted(scopes))} | {meaning.replace('|', '/')} |"


def build_settings_table(service: str) -> str:
    """The settings that a service has beyond those of every service."""
    settings = importlib.import_module(f"services.{service}.settings").Settings
    own = [
        _describe_setting(name, field)
        for name, field in settings.model_fields.items()
        if name not in ServiceSettings.model_fields
    ]
    if not own:
        return NO_SETTINGS
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *own])


def _describe_setting(name: str, field: FieldInfo) -> str:
    meaning = (field.description or "").rstrip(".").replace("|", "/")
    return f"| `ARCHON_{name.upper()}` | {_describe_default(field)} | {meaning} |"


def _describe_default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "of the machine"  # such as half of its cores: not the same everywhere
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None or isinstance(field.default, SecretStr) or field.default == "":
        return "none"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return f"{value:g}" if isinstance(value, float) else str(value)


def build_readme(service: str) -> str:
    """The README of a service with its present table of settings."""
    text = readme_of(service).read_text()
    before, _, rest = text.partition(TABLE_START)
    _, _, after = rest.partition(TABLE_END)
    if not after:
        raise SystemExit(f"{readme_of(service)} has no place for its settings: {TABLE_START}")
    settings = f"{before}{TABLE_START}\n{build_settings_table(service)}\n{TABLE_END}{after}"
    return _with_metrics(settings) if METRICS_START in settings else settings


def _with_metrics(text: str) -> str:
    """A README with the present table of metrics; the evaluator's has one."""
    before, _, rest = text.partition(METRICS_START)
    _, _, after = rest.partition(METRICS_END)
    return f"{before}{METRICS_START}\n{build_metrics_table()}\n{METRICS_END}{after}"


def readme_of(service: str) -> Path:
    """Where a service describes itself."""
    return ROOT / "services" / service / "README.md"


def build_files() -> Iterator[tuple[Path, str]]:
    """Every file with a generated part, and what it should hold."""
    yield ROUTES_FILE, build_routes_page()
    yield ACCESS_FILE, build_access_page()
    yield from build_sdk_files(build_openapi()).items()
    yield HANDBOOK_API_FILE, build_api_reference(build_openapi())
    for service in SERVICES:
        yield readme_of(service), build_readme(service)


def find_outdated() -> list[str]:
    """Files that are not as they should be."""
    return [
        str(path.relative_to(ROOT))
        for path, text in build_files()
        if not path.exists() or path.read_text() != text
    ]


def main() -> None:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        sys.exit("\n".join(find_outdated()) or 0)
    for path, text in build_files():
        path.write_text(text)


if __name__ == "__main__":
    main()
