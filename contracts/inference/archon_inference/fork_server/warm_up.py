"""The last thing the fork server imports: what every run would otherwise do again for itself.

A run is a fork of that server, so whatever is computed here is there at once. Imported by the fork
server alone.
"""

from __future__ import annotations

from transformers.conversion_mapping import get_checkpoint_conversion_mapping

# Compiles about a thousand patterns, once per process: 0.4 s of the 1 s before a first step.
get_checkpoint_conversion_mapping("bert")  # type: ignore[no-untyped-call]  # the library has no types here
