"""`python -m services.gateway`."""

from services.gateway.app import build_app
from services.gateway.settings import Settings
from shared.process.application import run

if __name__ == "__main__":
    run(Settings, build_app)
