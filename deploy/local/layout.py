"""Which component listens on which port."""

from collections.abc import Mapping

from deploy.local.processes.tcp_ports import pick_free, require_free
from deploy.local.settings import EMBEDDED, KAFKA, LocalSettings

POSTGRES = "postgres"
BROKER = "broker"
BROKER_CONTROLLER = "broker-controller"
# The API's port; the gateway has a health port besides, as every service does.
GATEWAY_HTTP = "gateway-http"
# Where a person looks first; any free port where it is taken.
FAMILIAR_PORTS = {GATEWAY_HTTP: 8080}


def choose_ports(settings: LocalSettings, previous: Mapping[str, int]) -> dict[str, int]:
    """Give every component a port: the chosen one, else that of the previous run if free, else any.

    Raises:
        PortInUseError: a chosen port is taken.
    """
    chosen = {GATEWAY_HTTP: settings.gateway_port}
    if settings.database == EMBEDDED:
        chosen[POSTGRES] = settings.postgres_port
    if settings.broker in (EMBEDDED, KAFKA):
        chosen[BROKER] = settings.broker_port
    if settings.broker == KAFKA:
        chosen[BROKER_CONTROLLER] = None
    ports = {name: require_free(name, port) for name, port in chosen.items() if port is not None}
    for name in (*chosen, *settings.services):
        if name not in ports:
            wanted = previous.get(name, FAMILIAR_PORTS.get(name))
            ports[name] = pick_free(wanted, taken=frozenset(ports.values()))
    return ports
