"""The file of learnt items."""

from pathlib import Path

import torch

from services.trainer.closed_form.learnt_items import (
    LEARNT_FILE,
    ClosedFormState,
    LearntItem,
    load_state,
    save_state,
)


def test_equal_states_make_equal_files(tmp_path: Path) -> None:
    item = LearntItem("digest", "a", 1.0, torch.ones(4), ("id",))
    state = ClosedFormState.empty(4).learn([item])
    written = set()
    for _ in range(16):  # an order that is random differs in one of so many
        save_state(state, tmp_path)
        written.add((tmp_path / LEARNT_FILE).read_bytes())

    assert len(written) == 1
    loaded = load_state(tmp_path)
    assert loaded is not None
    assert (list(loaded.items), loaded.denied) == (list(state.items), state.denied)
