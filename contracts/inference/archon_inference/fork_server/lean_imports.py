"""Imports transformers without what none of our models needs; the fork server's first module.

transformers imports whatever optional library it finds installed: scipy.optimize, for losses of
object detection, takes 20 MB of each fork server for as long as it runs. Imported by the fork
server alone; a process without it only has the larger imports.
"""

from __future__ import annotations

import importlib

# Modules bind the function's name when they are imported, so it is replaced for these imports only.
_utils = vars(importlib.import_module("transformers.utils"))
_is_scipy_available = _utils["is_scipy_available"]
_utils["is_scipy_available"] = lambda: False
try:
    importlib.import_module("transformers.loss.loss_utils")
finally:
    _utils["is_scipy_available"] = _is_scipy_available
