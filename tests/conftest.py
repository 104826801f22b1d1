"""Fixtures come from plugins and helpers from `tests.support`; nothing is imported from here."""

pytest_plugins = [
    "tests.plugins.distribution",
    "tests.plugins.embedded",
    "tests.plugins.fork_server",
    "tests.plugins.garbage",
    "tests.plugins.logging",
    "tests.plugins.properties",
    "tests.plugins.real_kafka",
    "tests.plugins.system",
]
