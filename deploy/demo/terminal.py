"""The view in a terminal: redrawn in place, or as plain lines where there is no terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from deploy.demo.progress_view import DemoStage, ProgressView, StageState

SIGNS = {StageState.WAITING: " ", StageState.DONE: "[green]✓[/]", StageState.FAILED: "[red]✗[/]"}
GROUPS = ("old", "new")
BAR_WIDTH = 40
REFRESHES_PER_SECOND = 4


@contextmanager
def show_progress(view: ProgressView, console: Console, *, quiet: bool) -> Iterator[None]:
    """Show the view while the block runs."""
    if quiet:
        yield
    elif console.is_terminal:
        spinner = Spinner("dots")
        with Live(
            get_renderable=lambda: render(view, spinner),
            console=console,
            refresh_per_second=REFRESHES_PER_SECOND,
        ):
            yield
    else:
        view.listener = _plain(console)
        yield


def render(view: ProgressView, spinner: Spinner) -> RenderableType:
    """The whole view as it stands."""
    parts: list[RenderableType] = [_stages(view, spinner)]
    if view.progress.get("total_steps"):
        parts.append(_training(view))
    tables = [make(view) for make in (_accuracy, _memory)]
    parts.append(Columns([table for table in tables if table.row_count]))
    parts.append(Text("\n".join(view.notes), style="dim"))
    return Panel(Group(*parts), title="Archon Training: feedback in, a better model out")


def build_accuracy_table(accuracy: dict[str, dict[str, dict[str, float]]]) -> Table:
    """Top-1 accuracy per version and group, with 95 % intervals."""
    made = Table(title="top-1 accuracy (95 % interval)", title_justify="left")
    made.add_column("version")
    for group in GROUPS:
        made.add_column(f"{group} families")
    for version, scores in accuracy.items():
        made.add_row(version, *(_format_estimate(scores.get(group)) for group in GROUPS))
    return made


def _stages(view: ProgressView, spinner: Spinner) -> Table:
    made = Table.grid(padding=(0, 1))
    for stage in view.stages.values():
        running = stage.state is StageState.RUNNING
        made.add_row(
            spinner if running else SIGNS[stage.state],
            Text(stage.title, style="bold" if running else ""),
            _seconds(stage),
            Text(view.job_state if running and view.job_state else "", style="cyan"),
        )
    return made


def _training(view: ProgressView) -> Table:
    progress = view.progress
    left = progress.get("eta_seconds")
    made = Table.grid(padding=(0, 1))
    made.add_row(
        "training",
        ProgressBar(
            total=progress["total_steps"], completed=progress.get("step", 0), width=BAR_WIDTH
        ),
        f"step {progress.get('step', 0)} of {progress['total_steps']}",
        "" if left is None else f"{left:.0f} s left",
        "" if progress.get("loss") is None else f"loss {progress['loss']:.3f}",
    )
    return made


def _accuracy(view: ProgressView) -> Table:
    return build_accuracy_table(
        {version: dict(scores) for version, scores in view.accuracy.items()}
    )


def _memory(view: ProgressView) -> Table:
    made = Table(title="peak memory", title_justify="left")
    made.add_column("process")
    made.add_column("MB", justify="right")
    for name, megabytes in view.memory_mb.items():
        made.add_row(name, f"{megabytes:.0f}")
    return made


def _format_estimate(estimate: dict[str, float] | None) -> str:
    if estimate is None:
        return "-"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def _seconds(stage: DemoStage) -> str:
    return "" if stage.state is StageState.WAITING else f"{stage.seconds:.1f} s"


def _plain(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
