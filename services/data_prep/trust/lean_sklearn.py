"""Imports scikit-learn's text features without pandas, for data preparation's fork server.

Imported in each child anew they took 1.4 s of every window. scikit-learn imports pandas where it
finds it, only to recognise data frames: half of that time, and 40 MB of the fork server for as long
as it runs. Imported by the fork server alone; a process without it only has the larger imports.
"""

from __future__ import annotations

import importlib
import sys

_LEFT_OUT = "pandas"

if _LEFT_OUT not in sys.modules:
    # None stands for a module that cannot be imported, for these imports only.
    sys.modules[_LEFT_OUT] = None  # type: ignore[assignment]
    try:
        importlib.import_module("sklearn.feature_extraction.text")
    finally:
        del sys.modules[_LEFT_OUT]
