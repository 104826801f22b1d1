"""Signatures of webhooks, and when they are sent again."""

import base64

from services.gateway.webhooks.sender import MAX_ATTEMPTS, retry_seconds
from services.gateway.webhooks.signing import new_secret, sign


def test_a_signature_is_that_of_the_specification() -> None:
    # The example of the Standard Webhooks specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

    headers = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_is_new_and_has_256_bits() -> None:
    secrets = {new_secret() for _ in range(10)}

    assert len(secrets) == 10
    assert {len(base64.b64decode(each.removeprefix("whsec_"))) for each in secrets} == {32}


def test_retries_end_after_most_of_a_day() -> None:
    waits = [retry_seconds(attempt) for attempt in range(1, MAX_ATTEMPTS)]

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (5.0, 5120.0)
    assert 2.5 * 3600 < sum(waits) < 24 * 3600
    assert retry_seconds(100) == 6 * 3600
