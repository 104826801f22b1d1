"""`python -m tests.benchmarks` lists the benchmarks; with a name it runs that one.

`--tiny` runs it at small sizes, to see that it works; nothing is recorded then. `--broker kafka`
runs one that has a choice on Apache Kafka (`KAFKA_HOME`); its table and its record name the broker.
`--seeds 1` runs one seed of a long benchmark at a time.
"""

import argparse
import os
import sys

from rich.console import Console

from deploy.local.settings import EMBEDDED, KAFKA
from tests.benchmarks.harness import benchmarks, has_broker_choice, module_of, record, run, show
from tests.support.infrastructure.brokers import VARIABLE, chosen_broker


def main(arguments: list[str]) -> int:
    """List, or run and record; exit code 1 when a figure does not reach what it should."""
    console = Console()
    if not arguments:
        for name, line in benchmarks().items():
            console.print(f"[bold]{name:24}[/bold] {line}", highlight=False)
        console.print("make bench NAME=... runs one", style="dim", highlight=False)
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--tiny", action="store_true", help="at small sizes; nothing is recorded")
    parser.add_argument("--broker", choices=(EMBEDDED, KAFKA), help="of those that have a choice")
    parser.add_argument("--seeds", default="", help="of those that have some, such as 0,1,2")
    chosen = parser.parse_args(arguments)
    name = chosen.name
    if name not in benchmarks():
        print(f"There is no benchmark {name}: `make bench` lists them.", file=sys.stderr)
        return 2
    if chosen.broker is not None and not has_broker_choice(name):
        print(f"The benchmark {name} has no choice of broker: leave out --broker.", file=sys.stderr)
        return 2
    if chosen.broker is not None:
        os.environ[VARIABLE] = chosen.broker
    broker = chosen_broker() if has_broker_choice(name) else None
    seeds = [int(seed) for seed in chosen.seeds.split(",") if seed]
    if seeds and not hasattr(module_of(name), "SEEDS"):
        print(f"The benchmark {name} has no seeds: leave out --seeds.", file=sys.stderr)
        return 2
    figures = run(name, tiny=chosen.tiny, seeds=seeds)
    show(f"{name}, broker {broker}" if broker else name, figures, console)
    if chosen.tiny:
        return 0
    record(name, figures, broker=broker, seeds=seeds)
    return 1 if any(figure.reached is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
