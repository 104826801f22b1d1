"""The file of learnt items."""

from pathlib import Path

import pytest
import torch

from archon_inference.encoding.learnt_vectors import (
    LEARNT_FILE,
    read_learnt_vectors,
    text_digest,
)
from services.trainer.closed_form.learnt_items import (
    ClosedFormState,
    LearntItem,
    estimate_name,
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


def test_vectors_of_a_written_state_are_read_by_the_digest_of_their_text(tmp_path: Path) -> None:
    pay, ask = text_digest("pay my bill"), text_digest("who are you")
    state = ClosedFormState.empty(4).learn(
        [
            LearntItem(pay, "payment", 1.0, torch.ones(4), ("id",)),
            LearntItem(estimate_name(ask, "smalltalk"), "smalltalk", 0.4, torch.zeros(4)),
        ]
    )
    save_state(state, tmp_path)

    found = read_learnt_vectors(tmp_path, 4)

    assert {digest: vector.tolist() for digest, vector in found.items()} == {
        pay: [1.0] * 4,
        ask: [0.0] * 4,
    }
    assert read_learnt_vectors(tmp_path, 8) == {}, "vectors of another encoder are not taken"


@pytest.mark.parametrize("content", [None, b"", b"torn", b"{}" * 20])
def test_a_file_of_vectors_that_cannot_be_read_is_none(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / LEARNT_FILE).write_bytes(content)
    assert read_learnt_vectors(tmp_path, 4) == {}
