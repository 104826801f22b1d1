"""What a real child has of its service's environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[4]
SECRETS = {
    "ARCHON_DATABASE_URL": "postgresql://archon:MARK@db/archon",
    "ARCHON_ARTIFACTS_SIGNING_KEY": "MARK" + "1" * 60,
    "ARCHON_KAFKA_SASL_PASSWORD": "MARK-sasl",
    "ARCHON_KAFKA_SSL_KEY_PASSWORD": "MARK-key",
    "ARCHON_GATEWAY_MAC_KEY": "MARK-mac",
    "ARCHON_DATA_PREP_SAMPLING_SECRET": "MARK-sampling",
    "OTEL_EXPORTER_OTLP_HEADERS": "authorization=MARK",
    "AWS_SECRET_ACCESS_KEY": "MARK-aws",
    "HF_TOKEN": "MARK-hf",
    "SOMEBODYS_OWN_VARIABLE": "MARK-unknown",
    "PGPASSWORD": "MARK-pg",
}


def test_a_child_has_no_secret_of_its_service(tmp_path: Path) -> None:
    shown = tmp_path / "environment.json"
    subprocess.run(
        [sys.executable, "-m", "tests.support.training.show_child_environment", shown],
        cwd=ROOT,
        env={**os.environ, **SECRETS, "OMP_NUM_THREADS": "1"},
        check=True,
        timeout=60,
    )

    child = json.loads(shown.read_text())
    assert "MARK" not in json.dumps(child)
    assert child["now"]["PATH"] == os.environ["PATH"]
    assert child["now"]["OMP_NUM_THREADS"] == "1"
