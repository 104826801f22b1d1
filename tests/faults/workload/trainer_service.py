"""The trainer as it is served, with Kafka and readiness, and a light training in it."""

from functools import partial
from unittest.mock import patch

from services.trainer import app
from services.trainer.settings import Settings
from services.trainer.worker import TrainingWorker
from shared.process.application import Application, run
from tests.support.training.trainer import TRAININGS

ENTRY = f"{TRAININGS}:learn_until_signalled"


def build_app(settings: Settings) -> Application:
    """The service's own parts, but for what its child runs."""
    light = partial(TrainingWorker, entry=ENTRY)
    with (
        patch.object(app, "TrainingWorker", light),
        patch.object(app, "FORK_SERVER_MODULES", (TRAININGS,)),
    ):
        return app.build_app(settings)


if __name__ == "__main__":
    run(Settings, build_app)
