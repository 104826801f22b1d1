"""Which revision of the code this is."""

import subprocess

from deploy.local.servers.service_process import PROJECT_ROOT

UNKNOWN = "unknown"


def code_revision() -> str:
    """Return the commit of the checkout, with `-dirty` where files were changed; else `unknown`."""
    command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        answer = subprocess.run(
            command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return UNKNOWN
    return answer.stdout.strip()
