"""A refactoring must not change what is learnt: the loss of each step is known.

After a deliberate change run this file as a module, which writes the new curve, and commit that by
itself.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

CURVE = Path(__file__).with_name("selector_loss.json")


def loss_curve(root: Path) -> list[float]:
    """The loss of every step of a small run with dropout, on one thread."""
    # Imported here, so that torch is not loaded when tests are only collected.
    from services.trainer.child import run
    from tests.support.training.tiny_models import tiny_encoder
    from tests.support.training.training_runs import run_spec

    reports: list[dict[str, Any]] = []
    run(run_spec(root, tiny_encoder(root / "base")), reports.append)
    values = [report["values"] for report in reports if report["event"] == "metrics"]
    return [value["train/loss"] for value in values if "train/loss" in value]


def test_the_selectors_losses_are_those_of_the_curve(tmp_path: Path) -> None:
    # Other processors add up in another order: a little slack, far below what a change would do.
    assert loss_curve(tmp_path) == pytest.approx(json.loads(CURVE.read_text()), rel=2e-3)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        losses = [round(loss, 6) for loss in loss_curve(Path(folder))]
    CURVE.write_text(json.dumps(losses) + "\n")
