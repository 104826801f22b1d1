"""A training in a process of its own that stops at a point of a checkpoint's write, to be killed.

The child is forked from a server that has imported torch, as in production. At the point it says
so and waits for ever; the test then ends it with SIGKILL from outside.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from archon_contracts.formats import MANIFEST_FILE
from services.trainer import child
from services.trainer.checkpoints import store as checkpoints
from services.trainer.checkpoints import trainer_callback as checkpointing
from shared.work.child_pool import list_imports

WAIT_SECONDS = 120
Spec = dict[str, Any]
Stop = Callable[[], None]


def kill_at(spec: Spec, *, step: int, point: str) -> None:
    """Run the training until it stands at `point` of the checkpoint of `step`; kill -9 it there."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        list_imports([*child.FORK_SERVER_MODULES, "trl.trainer.sft_trainer", __name__])
    )
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(spec, step, point, theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(WAIT_SECONDS), f"the training never came to {point}"
        assert ours.recv() == point
    finally:
        if process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    assert process.exitcode == -signal.SIGKILL


def _train(spec: Spec, step: int, point: str, pipe: Connection) -> None:
    def stop() -> None:
        pipe.send(point)
        signal.pause()

    def report(event: dict[str, Any]) -> None:
        if point == "reported" and event["event"] == "checkpoint" and event["step"] == step:
            stop()

    if point != "reported":
        _POINTS[point](step, stop)
    child.run(spec, report)
    pipe.send("ended without coming there")


def _half_written_optimizer(step: int, stop: Stop) -> None:
    save = checkpointing.save_file

    def half(tensors: Any, place: Path | str) -> None:
        path = Path(place)
        if path.name != checkpointing.OPTIMIZER_TENSORS or f".checkpoint-{step}." not in str(path):
            save(tensors, path)
            return
        with tempfile.TemporaryDirectory() as elsewhere:
            whole = Path(elsewhere) / path.name
            save(tensors, whole)
            content = whole.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        stop()

    checkpointing.save_file = half


def _before_manifest(step: int, stop: Stop) -> None:
    write = checkpoints.write_manifest

    def never(folder: Path) -> None:
        if f".checkpoint-{step}." in folder.name:
            stop()
        write(folder)

    checkpoints.write_manifest = never


def _half_written_manifest(step: int, stop: Stop) -> None:
    write = checkpoints.write_manifest

    def half(folder: Path) -> None:
        write(folder)
        if f".checkpoint-{step}." in folder.name:
            path = folder / MANIFEST_FILE
            content = path.read_bytes()
            path.write_bytes(content[: len(content) // 2])
            stop()

    checkpoints.write_manifest = half


def _around_rename(step: int, stop: Stop, *, done: bool) -> None:
    replace = Path.replace

    def stopped(self: Path, target: Path) -> Path:
        ours = f".checkpoint-{step}." in self.name
        if ours and not done:
            stop()
        moved = replace(self, target)
        if ours:
            stop()
        return moved

    Path.replace = stopped  # type: ignore[method-assign, assignment]  # this process ends here


def _half_removed_former(step: int, stop: Stop) -> None:
    keep = checkpointing.prune_checkpoints

    def half(root: Path, count: int) -> None:
        if (root / f"checkpoint-{step}").exists():
            oldest = min(root.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
            next(iter(oldest.iterdir())).unlink()
            stop()
        keep(root, count)

    checkpointing.prune_checkpoints = half


_POINTS: Final[dict[str, Callable[[int, Stop], None]]] = {
    "optimizer half written": _half_written_optimizer,
    "before the manifest": _before_manifest,
    "manifest half written": _half_written_manifest,
    "before the rename": lambda step, stop: _around_rename(step, stop, done=False),
    "after the rename": lambda step, stop: _around_rename(step, stop, done=True),
    "former one half removed": _half_removed_former,
}
# What a kill there leaves to resume from: the checkpoint itself, or the one before it.
STANDS: Final = {
    "optimizer half written": False,
    "before the manifest": False,
    "manifest half written": False,
    "before the rename": False,
    "after the rename": True,
    "former one half removed": True,
    "reported": True,
}
