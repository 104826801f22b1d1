"""Grants on a broker that keeps no ACLs."""

import pytest

from shared.errors import PermanentError
from shared.kafka.access_control import AccessRule, grant_all


async def test_a_broker_without_acls_is_named_with_what_would_keep_them(kafka: str) -> None:
    rule = AccessRule("User:archon-trainer", "topic", "archon.metrics.v1", "Write")

    with pytest.raises(PermanentError, match=r"keeps no ACLs.*embedded broker.*authorizer\.class"):
        await grant_all(kafka, [rule])
