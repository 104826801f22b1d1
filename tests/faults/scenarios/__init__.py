"""The scenarios, in the order of the acceptance table."""

from tests.faults.scenario import Scenario
from tests.faults.scenarios.bad_inputs import BadInputs
from tests.faults.scenarios.database import DatabaseRestarts
from tests.faults.scenarios.hostile_tenant import HostileTenantBeside
from tests.faults.scenarios.job_life import JobsUnderAnySequence
from tests.faults.scenarios.kafka.feedback import FeedbackWithoutMajority
from tests.faults.scenarios.kafka.nodes import KilledNodes, PausedNodes
from tests.faults.scenarios.kafka.topics import RightsTakenAway, TopicsChanged
from tests.faults.scenarios.kafka.training import TrainingWithoutMajority
from tests.faults.scenarios.messaging.backlog import SlowConsumer
from tests.faults.scenarios.messaging.broker import BrokerFaults
from tests.faults.scenarios.messaging.mock_cluster import FaultyCluster
from tests.faults.scenarios.messaging.rebalances import RebalanceStorm
from tests.faults.scenarios.messaging.relay import RelayKilled
from tests.faults.scenarios.messaging.repeats import Repeats
from tests.faults.scenarios.overload import Overload
from tests.faults.scenarios.poison import PoisonedCommands
from tests.faults.scenarios.poisoning import Poisoning
from tests.faults.scenarios.poisoning_rows import PoisoningRows
from tests.faults.scenarios.rollouts import RolloutsKilled
from tests.faults.scenarios.services import RollingDeploy, ServicesKilled
from tests.faults.scenarios.soak import Soak
from tests.faults.scenarios.storm import FeedbackStorm
from tests.faults.scenarios.surroundings import DeadCollectors, FullDisk, WrongClocks
from tests.faults.scenarios.trainer import TrainerKilled
from tests.faults.scenarios.zombie import ZombieTrainer

ALL: tuple[Scenario, ...] = (
    ServicesKilled(),
    TrainerKilled(),
    ZombieTrainer(),
    BrokerFaults(),
    FaultyCluster(),
    RebalanceStorm(),
    DatabaseRestarts(),
    RelayKilled(),
    Repeats(),
    SlowConsumer(),
    RollingDeploy(),
    WrongClocks(),
    DeadCollectors(),
    FullDisk(),
    Soak(),
    FeedbackStorm(),
    Overload(),
    BadInputs(),
    PoisonedCommands(),
    JobsUnderAnySequence(),
    RolloutsKilled(),
    Poisoning(),
    HostileTenantBeside(),
    KilledNodes(),
    PausedNodes(),
    RightsTakenAway(),
    TopicsChanged(),
    TrainingWithoutMajority(),
    FeedbackWithoutMajority(),
    PoisoningRows(),
)
