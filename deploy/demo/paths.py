"""Where the demo keeps its files."""

from pathlib import Path


def demo_folder(data_dir: Path) -> Path:
    """The report, the agent's client log and its log."""
    return data_dir / "demo"


def system_folder(data_dir: Path) -> Path:
    """The demo's own system: it begins empty each time, whatever else is kept in `data_dir`."""
    return demo_folder(data_dir) / "system"
