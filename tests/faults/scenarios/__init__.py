"""The scenarios, in the order of the acceptance table."""

from tests.faults.scenario import Scenario
from tests.faults.scenarios.database import DatabaseRestarts
from tests.faults.scenarios.poison import PoisonedCommands
from tests.faults.scenarios.rebalances import RebalanceStorm
from tests.faults.scenarios.relay import RelayKilled

ALL: tuple[Scenario, ...] = (
    RebalanceStorm(),
    DatabaseRestarts(),
    RelayKilled(),
    PoisonedCommands(),
)
