"""The table of settings: values that are set are marked, and secrets are nowhere in it."""

from services.gateway.dashboard.settings_table import describe_settings
from services.gateway.settings import Settings

SECRET = "correct-horse-battery-staple"


def test_secrets_are_named_and_not_shown() -> None:
    settings = Settings(
        database_url=f"postgresql://archon:{SECRET}@localhost/archon",
        kafka_bootstrap_servers="localhost:9092",
        gateway_bootstrap_api_key=SECRET,
        gateway_port=9999,
        health_port=1,
        artifacts_url=f"s3://key:{SECRET}@bucket",
    )

    rows = {row.variable: row for row in describe_settings(settings)}

    assert SECRET not in str(rows)
    assert rows["ARCHON_GATEWAY_PORT"].value == "9999"
    assert rows["ARCHON_GATEWAY_PORT"].changed
    assert not rows["ARCHON_GATEWAY_HOST"].changed
    assert rows["ARCHON_DATABASE_URL"].value == "set, not shown"
    assert all(row.description for row in rows.values())
