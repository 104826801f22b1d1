"""The processes of a local system as a table."""

from collections.abc import Sequence

from rich.table import Table

from deploy.local.processes.status import ProcessState, ProcessStatus

COLOURS = {ProcessState.READY: "green", ProcessState.STOPPED: "red"}


def processes(found: Sequence[ProcessStatus]) -> Table:
    """Every process with its state, restarts and memory."""
    total = sum(each.rss_mb or 0 for each in found)
    made = Table(header_style="bold", caption=f"{total:.0f} MB in all")
    for column in ("process", "pid", "state", "restarts", "memory"):
        made.add_column(column, justify="left" if column in ("process", "state") else "right")
    for each in found:
        memory = "-" if each.rss_mb is None else f"{each.rss_mb:.0f} MB"
        state = f"[{COLOURS.get(each.state, 'yellow')}]{each.state}[/]"
        made.add_row(each.name, str(each.pid or "-"), state, str(each.restarts), memory)
    return made
