import os
from pathlib import Path

import pytest
import torch

from archon_inference.devices import claim_device
from archon_inference.encoder import TextEncoder, pad_states
from tests.support.training.tiny_models import tiny_encoder

TEXTS = ["rain", "will it rain in oslo"]


def test_the_cpu_hides_no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    assert claim_device("cpu") == "cpu"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


@pytest.mark.parametrize(
    ("visible", "device", "claimed"),
    [("", "cuda", "0"), ("", "cuda:2", "2"), ("4,7", "cuda:1", "7")],
)
def test_a_claimed_accelerator_is_the_only_one_that_is_seen(
    monkeypatch: pytest.MonkeyPatch, visible: str, device: str, claimed: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert claim_device(device) == "cuda:0"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == claimed


def test_states_on_another_device_are_padded_there(tmp_path: Path) -> None:
    # The meta device computes no values, but refuses tensors of the CPU as an accelerator does.
    encoder = TextEncoder.load(tiny_encoder(tmp_path), 1)
    states = [state.to("meta") for state in encoder.compute_frozen_states([[2, 9, 3], [2, 3]])]
    encoder.lower.to("meta")
    encoder.upper.to("meta")

    states_BTH, mask_BT = pad_states(states)

    assert (encoder.device.type, states_BTH.device.type, mask_BT.device.type) == ("meta",) * 3


def test_an_encoder_in_bfloat16_gives_float32_vectors(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path)
    full, half = (
        TextEncoder.load(folder, 1, precision=precision).embed(TEXTS, 16)
        for precision in ("float32", "bfloat16")
    )

    assert half.dtype == torch.float32
    torch.testing.assert_close(half, full, atol=0.1, rtol=0.1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no accelerator on this machine")
def test_an_accelerator_gives_the_vectors_of_the_cpu(tmp_path: Path) -> None:
    folder = tiny_encoder(tmp_path)

    here = TextEncoder.load(folder, 1).embed(TEXTS, 16)
    there = TextEncoder.load(folder, 1, device="cuda").embed(TEXTS, 16)

    torch.testing.assert_close(there.cpu(), here, atol=1e-4, rtol=1e-4)
