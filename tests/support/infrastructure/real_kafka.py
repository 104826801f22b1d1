"""One node of Apache Kafka from a Kafka home: formatted in a folder of its own, loopback only."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from deploy.kafka_access import ROLES, principal_of_role
from deploy.local.processes.child import EXEC_CHILD
from deploy.local.processes.tcp_ports import pick_free

START_SECONDS = 60
PROPAGATION_SECONDS = 10
USER, PASSWORD = "alice", "alice-secret"
ROLE_PASSWORD = "role-secret"
"""Of the SCRAM users that are called as the roles of `deploy.kafka_access`; `USER` is of PLAIN."""
ROLE_MECHANISM = "SCRAM-SHA-512"
PROJECT = Path(__file__).resolve().parents[3]

_PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl},\\
 CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SASL_PLAINTEXT://127.0.0.1:{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,\\
 CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_plaintext.plain.sasl.jaas.config=\\
 org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=\\
 org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config=\\
 org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \\
 unsecuredLoginStringClaim_sub="broker";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def find_kafka_home() -> Path | None:
    """`KAFKA_HOME`, or the home that stands beside the checkout; None where there is neither."""
    named = os.environ.get("KAFKA_HOME")
    roots = [PROJECT, *([_main_checkout()] if _main_checkout() else [])]
    candidates = [Path(named)] if named else [root.parent / "shared" / "kafka" for root in roots]
    return next((home for home in candidates if (home / "libs").is_dir()), None)


def _main_checkout() -> Path | None:
    """A linked worktree may stand elsewhere than the checkout that it belongs to."""
    pointer = PROJECT / ".git"
    if not pointer.is_file():
        return None
    return Path(pointer.read_text().removeprefix("gitdir:").strip()).parents[2]


def _scram_users() -> list[str]:
    """What makes a user of each role when the node's data is formatted."""
    names = [principal_of_role(role, "{role}") for role in ROLES]
    made = [f"{ROLE_MECHANISM}=[name={name},password={ROLE_PASSWORD}]" for name in names]
    return [word for user in made for word in ("--add-scram", user)]


def why_not() -> str:
    """Why no node can run here, or an empty text."""
    if find_kafka_home() is None:
        return "no KAFKA_HOME and no ../shared/kafka"
    return "" if shutil.which("java") else "no java on the path"


class RealKafkaAdmin:
    """What a super user does to topics and rights of a running Kafka."""

    def __init__(self, bootstrap_servers: str) -> None:
        self.admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        """Make a topic; underscores of configuration names stand for dots."""
        named = {key.replace("_", "."): value for key, value in config.items()}
        new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=named)
        _settle(self.admin.create_topics([new]))

    def delete_topic(self, name: str) -> None:
        """Delete a topic with its records."""
        _settle(self.admin.delete_topics([name]))

    def add_partitions(self, name: str, total: int) -> None:
        """Let the topic have so many partitions."""
        _settle(self.admin.create_partitions([NewPartitions(name, total)]))

    def delete_records(self, topic: str, before: int) -> None:
        """Delete what is below an offset of partition 0, as retention would."""
        _settle(self.admin.delete_records([TopicPartition(topic, 0, before)]))

    def delete_all_records(self, topic: str) -> None:
        """Delete what stands on a topic now."""
        partitions = self.admin.list_topics(topic, timeout=10).topics[topic].partitions
        # -1 is the end of the partition.
        _settle(self.admin.delete_records([TopicPartition(topic, n, -1) for n in partitions]))

    def configure(self, topic: str, name: str, value: str) -> None:
        """Set one configuration of a topic."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        _settle(self.admin.incremental_alter_configs([resource]))

    def grant(self, kind: ResourceType, name: str) -> None:
        """Let `USER` do everything with a topic, a group or the cluster."""
        _settle(self.admin.create_acls([build_right(kind, name, USER, AclOperation.ALL)]))
        # The controller has it; the broker's authorizer, which answers here, a moment later.
        deadline = time.monotonic() + PROPAGATION_SECONDS
        while not self.admin.describe_acls(_rights_on(kind, name)).result(15):
            assert time.monotonic() < deadline, f"no right to {name} after a grant"
            time.sleep(0.05)

    def revoke(self, kind: ResourceType, name: str) -> None:
        """Take these rights away."""
        _settle(self.admin.delete_acls([_rights_on(kind, name)]))


class RealKafka(RealKafkaAdmin):
    """A running node: a plain listener for a super user, and one where `USER` needs its rights."""

    def __init__(self, folder: Path) -> None:
        plain, sasl, controller = pick_free(), pick_free(), pick_free()
        super().__init__(f"127.0.0.1:{plain}")
        self.bootstrap_servers = f"127.0.0.1:{plain}"
        self.sasl_servers = f"127.0.0.1:{sasl}"
        self._folder = folder
        self._properties = folder / "server.properties"
        self._properties.write_text(
            _PROPERTIES.format(
                plain=plain,
                sasl=sasl,
                controller=controller,
                data=folder / "data",
                user=USER,
                password=PASSWORD,
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Format the folder and wait until the node answers."""
        home = find_kafka_home()
        assert home is not None
        environment = {
            **os.environ,
            "KAFKA_HEAP_OPTS": "-Xmx384m -Xms128m",
            "LOG_DIR": str(self._folder),
        }
        self._log = log = (self._folder / "kafka.log").open("ab")
        format_ = [home / "bin/kafka-storage.sh", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg"]
        subprocess.run(
            [*format_, "-c", self._properties, *_scram_users()],
            check=True,
            env=environment,
            stdout=log,
            stderr=log,
        )
        # A run of tests that is cut off ends the node with it, though it is in another session.
        tied = [sys.executable, "-I", "-S", EXEC_CHILD, str(int(signal.SIGTERM)), str(os.getpid())]
        self._process = subprocess.Popen(
            [*tied, "-", "-", "-", home / "bin/kafka-server-start.sh", self._properties],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                self.admin.list_topics(timeout=2)
                return
            except KafkaException:
                assert time.monotonic() < deadline, (self._folder / "kafka.log").read_text()[-3000:]

    def stop(self) -> None:
        """End the node, in order if it can."""
        if self._process is None:
            return
        self._log.close()
        os.killpg(self._process.pid, signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def build_right(kind: ResourceType, name: str, user: str, operation: AclOperation) -> AclBinding:
    """A user's right to a topic, a group or the cluster, from any host."""
    allow = AclPermissionType.ALLOW
    return AclBinding(
        kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, allow
    )


def _rights_on(kind: ResourceType, name: str) -> AclBindingFilter:
    return AclBindingFilter(
        kind,
        name,
        ResourcePatternType.LITERAL,
        f"User:{USER}",
        None,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )


def _settle(futures: dict[object, object]) -> None:
    for future in futures.values():
        future.result(15)
