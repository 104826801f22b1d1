"""PostgreSQL as a child process."""

import asyncio
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

from deploy.local.credentials import read_or_create
from deploy.local.processes import leftovers
from deploy.local.processes.child import Child
from deploy.local.processes.component import STOP_SECONDS, start_unsupervised
from deploy.local.processes.privileges import hand_over, unprivileged_user
from deploy.local.processes.tcp_ports import LOOPBACK, require_free
from deploy.local.servers.postgres_binaries import PostgresBinaries

ROLE = "archon"
DATABASE = "archon"
SUPERUSER = "postgres"
PROVISION_SQL = Path(__file__).parents[1] / "sql" / "provision.sql"

# Durability is the server's default: fsync, synchronous_commit and full_page_writes are on.
# The rest suits one machine shared with everything else: little memory and no idle work.
SERVER_SETTINGS = {
    "listen_addresses": LOOPBACK,
    # A socket file's path is limited to about 100 characters; a data directory's is not.
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    # Nothing replicates from here.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    # Workers and just-in-time compilation pay off on large queries; ours are small and many.
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# For a server whose data may die with the machine: a killed process loses nothing that it
# acknowledged, only a power cut does. So synchronous_commit stays on: without it, commits of the
# last fraction of a second are in the server's memory alone.
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A PostgreSQL server whose data and passwords live in one directory.

    The caller alone uses that directory: a server found running in it was left by a process that
    was killed, and is ended. Data survives `stop`, and kill -9 of the server or of this process.
    `settings` are server parameters that replace those of `SERVER_SETTINGS`.
    """

    name = "postgres"

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        log_path: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.port = port
        self._settings = {**SERVER_SETTINGS, **(settings or {}), "port": str(port)}
        self._directory = data_dir.resolve()
        self.log_path = log_path or self._directory / "postgres.log"
        self._cluster = self._directory / "cluster"
        self._binaries = PostgresBinaries(self._cluster, self.log_path)
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The connection URL of the services' role and database; it contains a password."""
        password = read_or_create(self._directory / "password")
        return f"postgresql://{ROLE}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    async def start(self) -> None:
        """Start the server and return when the services' database can be used.

        Raises:
            StartError: the server ended, or was not ready in time.
        """
        self._child = await start_unsupervised(self)
        await self.provision()

    async def stop(self) -> None:
        """Shut down: sessions are ended, data is on disk."""
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)
            self._child = None

    async def launch(self) -> Child:
        """Start the server process; makes the cluster the first time, ends leftovers always."""
        self._directory.mkdir(parents=True, exist_ok=True)
        await asyncio.to_thread(self._end_leftovers)
        require_free(self.name, self.port)
        if not self._cluster.exists():
            await self._make_cluster()
        flags = [flag for key, value in self._settings.items() for flag in ("-c", f"{key}={value}")]
        # SIGINT is the server's fast shutdown; SIGTERM would wait for every session to leave.
        return await self._binaries.spawn(
            "postgres", "-D", str(self._cluster), *flags, stop_signal=signal.SIGINT
        )

    async def is_ready(self) -> bool:
        """Return whether the server says that it accepts sessions."""
        pid_file = self._cluster / "postmaster.pid"
        lines = pid_file.read_text().splitlines() if pid_file.exists() else []
        return len(lines) >= 8 and lines[7].strip() == "ready"

    async def provision(self) -> None:
        """Make the services' role and database where they do not exist yet.

        Raises:
            StartError: the server refused.
        """
        server = f"host={LOOPBACK} port={self.port} user={SUPERUSER} dbname=postgres"
        await self._binaries.run(
            *("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"),
            *("--dbname", server, "--file", str(PROVISION_SQL)),
            environment={
                "PGPASSWORD": read_or_create(self._directory / "superuser-password"),
                "ARCHON_PASSWORD": read_or_create(self._directory / "password"),
            },
        )

    def _end_leftovers(self) -> None:
        pid_file = self._cluster / "postmaster.pid"
        if pid_file.exists():
            # Sessions of a killed server hold its shared memory until they have noticed.
            leftovers.end_all(leftovers.running_in(self._cluster, "postgres"), signal.SIGINT)
            # Left by a killed server; its number may by now be that of any other process.
            pid_file.unlink(missing_ok=True)

    async def _make_cluster(self) -> None:
        """Make the cluster beside its place and move it there: a half-made one is never used."""
        unfinished = self._directory / "cluster.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        password_file = self._directory / "initdb-password"
        password_file.write_text(read_or_create(self._directory / "superuser-password"))
        password_file.chmod(0o600)
        user = unprivileged_user(unfinished)
        for path in (unfinished, password_file):
            hand_over(path, user)
        await self._binaries.run(
            *("initdb", "--pgdata", str(unfinished), "--username", SUPERUSER),
            *("--pwfile", str(password_file), "--auth", "scram-sha-256", "--encoding", "UTF8"),
            # One sort order everywhere, whatever locales the machine has.
            *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
            # The sync of some thousand files is most of initdb's time on a busy disk.
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
        )
        password_file.unlink()
        unfinished.rename(self._cluster)
