"""The whole of a service's `__main__`."""

from __future__ import annotations

import gc
import importlib


def start(package: str) -> None:
    """Import a service, `services.NAME`, and run it.

    Modules live as long as the process, and the garbage collector walked them again and again while
    they were loaded: a fifth of the CPU time of a start. So nothing else is imported before this.
    """
    gc.disable()
    try:
        application = importlib.import_module("shared.process.application")
        settings = importlib.import_module(f"{package}.settings")
        app = importlib.import_module(f"{package}.app")
    finally:
        gc.enable()
    gc.freeze()
    application.run(settings.Settings, app.build_app)
