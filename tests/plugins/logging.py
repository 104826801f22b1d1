"""Loggers of a test process."""

import structlog


def pytest_configure() -> None:
    """Let no logger keep what was configured when it was used first.

    The product's loggers do, for speed. A service that ran in this process before would then write
    on to stderr what a test captures, and whether it did depended on the order of the files.
    """
    configure = structlog.configure

    def configure_uncached(**settings: object) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})  # type: ignore[arg-type]

    structlog.configure = configure_uncached  # type: ignore[assignment]
