"""`python mlflow_process.py URL`: MLflow's registry on a database, a verb a line on standard input.

A line is `VERB COUNT`; the answer is a JSON list of seconds. Run by its path with MLflow's folder
in PYTHONPATH: nothing of the project is imported.
"""

import json
import sys
import time
from collections.abc import Callable


def main(url: str) -> None:
    """Answer lines until the end."""
    from mlflow import MlflowClient

    # SQLAlchemy would look for another driver than the one that is installed.
    store = url.replace("postgresql://", "postgresql+psycopg2://")
    client, name, alias = MlflowClient(store, registry_uri=store), "bench", "deployed"
    client.create_registered_model(name)
    registered, moved = 0, 0

    def register() -> None:
        nonlocal registered
        tags = {"seed": "7", "method": "continual", "revision": "abc"}
        client.create_model_version(name, f"file:///models/{registered}", tags=tags)
        registered += 1

    def move() -> None:
        nonlocal moved
        moved += 1
        client.set_registered_model_alias(name, alias, str(moved % registered + 1))

    def read() -> None:
        if client.get_model_version_by_alias(name, alias).name != name:
            raise RuntimeError("another model was read")

    def listed() -> None:
        found = client.search_model_versions(f"name='{name}'", max_results=1000)
        if len(found) != min(registered, 1000):
            raise RuntimeError(f"{len(found)} of {registered} versions were listed")

    verbs: dict[str, Callable[[], None]] = {
        "register": register,
        "move": move,
        "read": read,
        "list": listed,
    }
    print("ready", flush=True)
    for line in sys.stdin:
        verb, _, count = line.partition(" ")
        taken = []
        for _ in range(int(count)):
            started = time.perf_counter()
            verbs[verb]()
            taken.append(time.perf_counter() - started)
        print(json.dumps(taken), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
