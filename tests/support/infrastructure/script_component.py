"""A part of the local system for tests of its supervision: a tiny real program."""

import sys

import psutil

from deploy.local.processes.child import Child, Program


class ScriptComponent:
    """Runs a Python script; ready as soon as its output says so."""

    def __init__(self, name, directory, script):
        self.name = name
        self.port = 1
        self.log_path = directory / f"{name}.log"
        self._script = script

    async def launch(self):
        """Start the script with an empty log."""
        self.log_path.unlink(missing_ok=True)
        argv = (sys.executable, "-I", "-S", "-u", "-c", self._script)
        return await Child.spawn(Program(argv=argv, log_path=self.log_path))

    async def is_ready(self):
        """Return whether the script printed `ready`."""
        return self.log_path.exists() and "ready" in self.log_path.read_text()


def has_ended(process):
    """Return whether a process is gone, or dead and only waiting for its new parent to notice."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
