"""What `KafkaSecurity` makes of its settings, and what it refuses."""

import ssl
from pathlib import Path

import pytest

from archon_contracts.client import KafkaSecurity
from archon_contracts.client.errors import KafkaSecurityError
from tests.support.infrastructure.certificates import Authority

SECRET = "nobody-may-see-this"


def test_certificate_and_host_name_are_always_checked() -> None:
    context = KafkaSecurity().tls_context()

    assert context is not None
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_sasl_options_are_aiokafkas() -> None:
    security = KafkaSecurity(tls=False, mechanism="PLAIN", username="me", password=SECRET)

    assert security.connection() == {
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "me",
        "sasl_plain_password": SECRET,
    }


def test_no_password_shows_in_its_text() -> None:
    security = KafkaSecurity(mechanism="PLAIN", password=SECRET, key_password=SECRET)

    assert SECRET not in f"{security!r}{security}"


@pytest.mark.parametrize(
    ("security", "setting"),
    [
        (KafkaSecurity(ca_file="/nonexistent.pem"), "ca_file"),
        (KafkaSecurity(certificate_file="/nonexistent.pem"), "certificate_file"),
        (KafkaSecurity(key_file="/nonexistent.key"), "certificate_file"),
        (KafkaSecurity(mechanism="GUESS"), "mechanism"),
        (KafkaSecurity(mechanism="PLAIN", password=SECRET), "username"),
        (KafkaSecurity(mechanism="PLAIN", username="me", password=""), "password"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(security: KafkaSecurity, setting: str) -> None:
    with pytest.raises(KafkaSecurityError) as caught:
        security.connection()

    assert caught.value.setting == setting
    assert SECRET not in str(caught.value)


def test_a_wrong_key_password_is_an_error_that_does_not_show_it(tmp_path: Path) -> None:
    certificate, key = Authority(tmp_path, "authority").issue("me", password=SECRET)
    security = KafkaSecurity(
        certificate_file=str(certificate), key_file=str(key), key_password=f"{SECRET}-not"
    )

    with pytest.raises(KafkaSecurityError, match="belong together") as caught:
        security.connection()

    assert SECRET not in str(caught.value)
