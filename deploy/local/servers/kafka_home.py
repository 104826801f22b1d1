"""An installation of Apache Kafka to run a node from: `KAFKA_HOME`, and the Java it needs."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.local.errors import UnusableChoiceError

FIRST_MAJOR = 4
"""Before 4.0 a node may need ZooKeeper, and some of the settings used here have other names."""
TESTED_VERSION = "4.3.1"
"""What the integration tests run on, and docker-compose.yml names."""
FIRST_JAVA = 17
JAVA_SECONDS = 20
_VERSION_IN_JAR = re.compile(r"kafka-clients-(\d+)\.(\d+)[.\d]*\.jar$")
_VERSION_OF_JAVA = re.compile(r'version "(\d+)')


@dataclass(frozen=True, slots=True)
class KafkaHome:
    """A usable installation and how its scripts are run."""

    path: Path
    version: str
    java_home: Path | None

    @classmethod
    def find(cls, path: Path | None, java_home: Path | None = None) -> Self:
        """Check what `KAFKA_HOME` and `JAVA_HOME` name; without the second, java on the path.

        Raises:
            UnusableChoiceError: no node can be run from there.
        """
        if path is None:
            raise UnusableChoiceError(
                "The broker `kafka` is run from KAFKA_HOME, which is not set: name the folder that "
                "holds Kafka's bin and libs."
            )
        if not (path / "libs").is_dir() or not (path / "bin" / "kafka-server-start.sh").is_file():
            raise UnusableChoiceError(
                f"KAFKA_HOME is {path}, which holds no bin/kafka-server-start.sh and libs: name "
                "the folder of an unpacked Kafka distribution."
            )
        version = _version_in(path / "libs")
        if int(version.partition(".")[0]) < FIRST_MAJOR:
            raise UnusableChoiceError(
                f"KAFKA_HOME holds Kafka {version}, and {FIRST_MAJOR}.0 or newer is needed: name "
                "another installation."
            )
        _require_java(java_home)
        return cls(path.resolve(), version, java_home)

    def environment(self, log_folder: Path) -> dict[str, str]:
        """For Kafka's scripts: Java, a heap that leaves room for the rest, no log in the home."""
        own = {
            "KAFKA_HEAP_OPTS": os.environ.get("KAFKA_HEAP_OPTS", "-Xms128m -Xmx512m"),
            "LOG_DIR": str(log_folder),
        }
        if self.java_home is not None:
            own["JAVA_HOME"] = str(self.java_home)
        return {**os.environ, **own}

    def script(self, name: str) -> str:
        """The path of one of its scripts."""
        return str(self.path / "bin" / name)


def _version_in(libs: Path) -> str:
    names = (_VERSION_IN_JAR.search(each.name) for each in sorted(libs.iterdir()))
    found = next((match for match in names if match), None)
    if found is None:
        raise UnusableChoiceError(
            f"KAFKA_HOME's {libs} holds no kafka-clients-*.jar: the installation is not complete."
        )
    return found[0].removeprefix("kafka-clients-").removesuffix(".jar")


def _require_java(java_home: Path | None) -> None:
    java = str(java_home / "bin" / "java") if java_home else shutil.which("java")
    if java is None or not Path(java).is_file():
        where = f"JAVA_HOME's {java} is not there" if java_home else "no java is on the path"
        raise UnusableChoiceError(
            f"Kafka needs Java {FIRST_JAVA} or newer, and {where}: install one or set JAVA_HOME."
        )
    try:
        run = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS, check=False
        )
        answer = run.stderr + run.stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        answer = str(error)
    found = _VERSION_OF_JAVA.search(answer)
    if found is None or int(found[1]) < FIRST_JAVA:
        what = f"is version {found[1]}" if found else "does not say its version"
        raise UnusableChoiceError(
            f"Kafka needs Java {FIRST_JAVA} or newer, and {java} {what}: set JAVA_HOME to another."
        )
