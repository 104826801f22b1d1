"""Command lines of the processes below this one."""

import psutil


def command_lines_below(recursive: bool = False) -> list[tuple[psutil.Process, list[str]]]:
    """Each process below this one with its command line.

    A process that ends between the listing and the reading is left out: helpers of other tests of
    this worker, such as the server that forks children, come and go.
    """
    lines = []
    for process in psutil.Process().children(recursive=recursive):
        try:
            lines.append((process, process.cmdline()))
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return lines
