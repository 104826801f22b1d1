"""Where a model computes and how precisely. Nothing here imports torch."""

from __future__ import annotations

import os
from typing import Final, Literal

DEVICE_PATTERN: Final = r"^(cpu|cuda(:\d+)?)$"

Precision = Literal["float32", "bfloat16"]


def claim_device(device: str) -> str:
    """Make the device the only accelerator that this process sees, and give its name from then on.

    Without it the Trainer would spread a run over every accelerator of the machine, or take the
    first one. Call it before torch has touched an accelerator: the variable is read once.
    """
    if device == "cpu":
        return device
    number = int(device.partition(":")[2] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    # The number counts among the devices that this process was given.
    names = visible.split(",") if visible else [str(each) for each in range(number + 1)]
    os.environ["CUDA_VISIBLE_DEVICES"] = names[number]
    return "cuda:0"
