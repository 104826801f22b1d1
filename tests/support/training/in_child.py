"""Entries of trainer and evaluator, run in a forked child as in production."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from services.trainer import child as trainer
from shared.work.child_pool import list_imports

Entry = Callable[[dict[str, Any], Callable[[dict[str, Any]], None]], dict[str, Any]]


def in_child(entry: Entry, spec: dict[str, Any]) -> dict[str, Any]:
    """Run an entry in a fork of a server that has imported torch before."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list_imports(trainer.FORK_SERVER_MODULES))
    ours, theirs = context.Pipe()
    process = context.Process(target=_answer, args=(entry, spec, theirs))
    process.start()
    theirs.close()
    try:
        result: dict[str, Any] = ours.recv()
        return result
    except BaseException:
        # A test that ran out of time would otherwise wait here for the training's end.
        process.kill()
        raise
    finally:
        process.join()


def _answer(entry: Entry, spec: dict[str, Any], pipe: Connection) -> None:
    pipe.send(entry(spec, lambda report: None))
