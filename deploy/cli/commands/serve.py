"""`archon serve`: answer HTTP requests with an agent's deployed version."""

import asyncio
import logging
import sys
from typing import Annotated

import typer

from deploy.cli.options import Json, examples
from deploy.cli.output import console, print_json, shown
from deploy.cli.target import kafka_target, model_keys

EXAMPLES = examples(
    "archon serve tool-picker",
    "archon serve tool-picker --port 9000 --kafka broker:9092 --trusted-keys 3b6a...",
)


KafkaServers = Annotated[
    str | None,
    typer.Option(help="HOST:PORT,...; else ARCHON_KAFKA_BOOTSTRAP_SERVERS, else the local one."),
]
TrustedKeys = Annotated[
    str | None,
    typer.Option(
        help="Public keys of trainers, by commas; only what they signed is loaded. Else the "
        "key of the system started here, else ARCHON_ARTIFACTS_MODEL_KEYS."
    ),
]
Bfloat16 = Annotated[
    bool,
    typer.Option(
        "--bfloat16",
        help="Compute in bfloat16: faster on CPUs that have it; answers may differ from what "
        "the gate measured in float32.",
    ),
]
Explore = Annotated[
    str,
    typer.Option(
        help="off, epsilon or thompson: give another of the best answers in some requests, so "
        "that reinforcement can learn from what they earn."
    ),
]
ExploreProportion = Annotated[
    float, typer.Option(help="Of the requests whose answer is sampled, at most 0.5.")
]


def serve(
    agent: Annotated[str, typer.Argument(help="Agent, such as tool-picker.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8090,
    tenant: Annotated[str, typer.Option(help="The agent's tenant.")] = "default",
    kafka: KafkaServers = None,
    trusted_keys: TrustedKeys = None,
    bfloat16: Bfloat16 = False,
    explore: Explore = "off",
    explore_proportion: ExploreProportion = 0.05,
    as_json: Json = False,
) -> None:
    """Answer HTTP requests with the deployed version, which is swapped while it serves.

    POST /v1/answers {"input": "..."} and POST /v1/feedback {"interaction_id": "...", "expected":
    "..."}; every answer is logged as an interaction.
    """
    # Here: the model libraries behind it take a second to import, and no other command needs them.
    from deploy.serving.exploration import ExplorationKind, ExplorationPolicy
    from deploy.serving.server import ServeOptions
    from deploy.serving.server import serve as run_server

    try:
        exploration = ExplorationPolicy(ExplorationKind(explore), explore_proportion)
    except ValueError as error:
        raise typer.BadParameter(f"--explore, --explore-proportion: {error}") from error
    arguments, namespace = kafka_target(kafka)
    servers = arguments.pop("bootstrap_servers")
    keys, idle_wait_seconds = model_keys(trusted_keys)
    options = ServeOptions(
        agent_id=agent,
        tenant_id=tenant,
        kafka_bootstrap_servers=",".join(servers),
        kafka_namespace=namespace.name,
        kafka_connection=arguments,
        kafka_idle_wait_seconds=idle_wait_seconds,
        trusted_keys=keys,
        precision="bfloat16" if bfloat16 else "float32",
        host=host,
        port=port,
        exploration=exploration,
    )
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    place = f"http://{host}:{port}"
    if as_json:
        print_json({"agent": agent, "url": place})
    else:
        console.print(f"serving {shown(agent)} at {place}; Ctrl-C ends it")
    asyncio.run(run_server(options))
