"""Which part gets which port."""

import pytest

from deploy.local import layout
from deploy.local.errors import PortInUseError
from deploy.local.processes import tcp_ports
from deploy.local.settings import LocalSettings


@pytest.fixture(autouse=True)
def taken(monkeypatch):
    """Ports that are taken; no socket is opened, and no other process's choices count."""
    numbers = set()
    monkeypatch.setattr(tcp_ports, "is_free", lambda port: port not in numbers)
    monkeypatch.setattr(tcp_ports._reservations, "reserve", lambda port: True)
    return numbers


def test_every_part_and_service_gets_a_port_of_its_own():
    chosen = layout.choose_ports(LocalSettings(services=("gateway", "trainer")), {})

    assert chosen.keys() == {"postgres", "broker", "gateway-http", "gateway", "trainer"}
    assert len(set(chosen.values())) == 5


def test_a_chosen_port_is_taken_as_it_is():
    chosen = layout.choose_ports(LocalSettings(postgres_port=5432), {"postgres": 25000})

    assert chosen["postgres"] == 5432


def test_a_chosen_port_in_use_is_an_error_in_one_sentence(taken):
    taken.add(5432)

    with pytest.raises(PortInUseError, match="Port 5432, chosen for postgres, is in use"):
        layout.choose_ports(LocalSettings(postgres_port=5432), {})


def test_the_ports_of_the_previous_run_are_kept_where_free(taken):
    taken.add(25001)

    chosen = layout.choose_ports(LocalSettings(), {"postgres": 25000, "broker": 25001})

    assert chosen["postgres"] == 25000
    assert chosen["broker"] != 25001


def test_the_gateway_is_where_people_look_first_unless_that_is_taken(taken):
    assert layout.choose_ports(LocalSettings(), {})["gateway-http"] == 8080
    taken.add(8080)
    assert layout.choose_ports(LocalSettings(), {})["gateway-http"] in tcp_ports.FREE_RANGE
