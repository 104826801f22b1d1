"""`python -m tests.benchmarks` lists the benchmarks; with a name it runs that one.

`--tiny` runs it at small sizes, to see that it works; nothing is recorded then.
"""

import sys

from rich.console import Console

from tests.benchmarks.harness import benchmarks, record, run, show


def main(arguments: list[str]) -> int:
    """List, or run and record; exit code 1 when a figure does not reach what it should."""
    console = Console()
    if not arguments:
        for name, line in benchmarks().items():
            console.print(f"[bold]{name:24}[/bold] {line}", highlight=False)
        console.print("make bench NAME=... runs one", style="dim", highlight=False)
        return 0
    tiny = "--tiny" in arguments
    (name,) = (argument for argument in arguments if argument != "--tiny")
    if name not in benchmarks():
        print(f"There is no benchmark {name}: `make bench` lists them.", file=sys.stderr)
        return 2
    figures = run(name, tiny=tiny)
    show(name, figures, console)
    if tiny:
        return 0
    record(name, figures)
    return 1 if any(figure.reached is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
