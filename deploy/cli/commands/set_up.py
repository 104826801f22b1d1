"""`archon setup`: tables and topics of a deployment, made before its services start."""

import asyncio
from typing import Annotated

import typer
from pydantic import Field, SecretStr

from archon_contracts.topics import ALL_TOPICS, SERVICES
from deploy.cli.errors import CommandError
from deploy.cli.options import Json, examples
from deploy.cli.output import console, print_json
from deploy.kafka_access import build_commands, list_rules
from deploy.local.prepare import prepare
from shared.kafka.access_control import grant_all
from shared.kafka.security import security_arguments
from shared.kafka.topic_limits import DEFAULT_RECORD_BYTES, read_topic_limits
from shared.postgres.tenants import SERVICES_ROLE
from shared.settings import KafkaSecuritySettings

EXAMPLES = examples(
    "archon setup",
    "archon setup --replication-factor 3 --grant",
    "archon setup --print-grants --principal 'User:acme-{role}'",
)


class SetupSettings(KafkaSecuritySettings):
    """What to prepare, from the variables that the services read too."""

    database_url: SecretStr | None = Field(default=None, description="postgresql://...")
    database_role: str = Field(
        default=SERVICES_ROLE, description="Role that the services act as; made if it is missing."
    )
    kafka_bootstrap_servers: str | None = Field(default=None, description="host:port, by commas.")


def set_up(
    replication_factor: Annotated[
        int | None,
        typer.Option(min=1, max=7, help="Copies of each topic; else 3, or one per broker."),
    ] = None,
    grant: Annotated[
        bool, typer.Option("--grant", help="Also give each role its rights on Kafka, as ACLs.")
    ] = False,
    print_grants: Annotated[
        bool,
        typer.Option("--print-grants", help="Print the kafka-acls commands and do nothing else."),
    ] = False,
    principal: Annotated[
        str, typer.Option(help="Principal of a role on Kafka; {role} is its name.")
    ] = "User:archon-{role}",
    as_json: Json = False,
) -> None:
    """Create the tables and topics that services expect to find.

    Reads ARCHON_DATABASE_URL, ARCHON_KAFKA_BOOTSTRAP_SERVERS and the settings of TLS and SASL, as
    the services do.
    """
    settings = SetupSettings()
    _check_principal(principal)
    if print_grants:
        _print_grants(settings, principal)
        return
    if settings.database_url is None or settings.kafka_bootstrap_servers is None:
        raise CommandError(
            "Name the database and the broker: "
            "set ARCHON_DATABASE_URL and ARCHON_KAFKA_BOOTSTRAP_SERVERS."
        )
    asyncio.run(
        prepare(
            settings.database_url.get_secret_value(),
            settings.kafka_bootstrap_servers,
            replication_factor=replication_factor,
            role=settings.database_role,
            security=security_arguments(settings),
            namespace=settings.kafka_namespace,
        )
    )
    _warn_of_limits(settings)
    granted = asyncio.run(_grant(settings, principal)) if grant else 0
    if as_json:
        print_json(
            {
                "schemas": list(SERVICES),
                "topics": [settings.kafka_namespace.qualify(t.name) for t in ALL_TOPICS],
                "grants": granted,
            }
        )
        return
    rights = f", {granted} rights" if grant else ""
    console.print(
        f"[green]ready[/green]: {len(SERVICES)} schemas, {len(ALL_TOPICS)} topics{rights}"
    )


def _check_principal(pattern: str) -> None:
    if "{role}" not in pattern or ":" not in pattern:
        raise CommandError(
            f"--principal {pattern} gives every role the same name; "
            "write {role} where its name goes, such as User:archon-{role}."
        )


def _print_grants(settings: SetupSettings, principal: str) -> None:
    for command in build_commands(
        bootstrap_servers=settings.kafka_bootstrap_servers or "localhost:9092",
        pattern=principal,
        namespace=settings.kafka_namespace,
    ):
        print(command)


async def _grant(settings: SetupSettings, principal: str) -> int:
    """Give every role its rights; returns how many they are."""
    assert settings.kafka_bootstrap_servers is not None
    return await grant_all(
        settings.kafka_bootstrap_servers,
        list_rules(principal, settings.kafka_namespace),
        security=security_arguments(settings),
    )


def _warn_of_limits(settings: SetupSettings) -> None:
    """Say on standard error where a topic takes less than the services send."""
    assert settings.kafka_bootstrap_servers is not None
    servers = settings.kafka_bootstrap_servers.split(",")
    arguments = {"bootstrap_servers": servers, **security_arguments(settings)}
    names = [settings.kafka_namespace.qualify(topic.name) for topic in ALL_TOPICS]
    for name, limits in asyncio.run(read_topic_limits(arguments, names)).items():
        for warning in limits.warnings(name, DEFAULT_RECORD_BYTES):
            typer.echo(f"archon: {warning}.", err=True)
