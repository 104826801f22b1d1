"""`python -m services.coordinator` runs the service until it gets a signal to stop."""

from services.coordinator.app import build_app
from services.coordinator.settings import Settings
from shared.process.application import run

run(Settings, build_app)
