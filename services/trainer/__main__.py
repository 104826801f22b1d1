"""Runs the service as a process."""

from __future__ import annotations

from services.trainer.app import build_app
from services.trainer.settings import Settings
from shared.process.application import run

if __name__ == "__main__":
    run(Settings, build_app)
