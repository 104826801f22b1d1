"""Services that are built and never started: what they would listen to can be read off them."""

import importlib

from shared.process.application import Application


def built(service: str) -> Application:
    """The service, constructed as its own process would."""
    settings = importlib.import_module(f"services.{service}.settings").Settings(
        database_url="postgresql://127.0.0.1:1/none",
        kafka_bootstrap_servers="127.0.0.1:1",
        artifacts_url="file:///nonexistent",
        health_port=0,
    )
    application: Application = importlib.import_module(f"services.{service}.app").build_app(
        settings
    )
    return application
