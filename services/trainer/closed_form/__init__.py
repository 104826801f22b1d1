"""Classifiers in closed form: sums, the items in them, and updates that add to both.

The modules import torch, so only child processes import them; their entry is named here.
"""

from typing import Final

UPDATE_ENTRY: Final = "services.trainer.closed_form.update:run"
"""Names `update.run` to the resident child."""
