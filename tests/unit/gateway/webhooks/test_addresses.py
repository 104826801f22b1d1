"""Where a webhook may go: nowhere inside, however the address is written or resolved."""

from collections.abc import Sequence

import pytest

from services.gateway.webhooks.addresses import (
    AddressRefused,
    Resolve,
    find_address,
    parse_networks,
    read_url,
)

PUBLIC = "93.184.215.14"


def resolver(*addresses: str) -> Resolve:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


async def reach(url: str, *addresses: str, allowed: str = "") -> str:
    resolve = resolver(*addresses) if addresses else None
    return await find_address(read_url(url), parse_networks(allowed), resolve)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1",
        "2002:0a00:0001::1",
        "2001:0:0a00:1::1",
        "2001:db8::1",
    ],
)
async def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match="no public address"):
        await reach("https://inside.example/", address)
    with pytest.raises(AddressRefused, match="no public address"):
        # Also where the first address is public: the next look-up may put the other one first.
        await reach("https://rebinding.example/", PUBLIC, address)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://localhost/",
    ],
)
async def test_every_spelling_of_this_machine_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        await reach(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.org/", "no https URL"),
        ("file:///etc/passwd", "no https URL"),
        ("gopher://example.org:70/", "no https URL"),
        ("https:///path", "no https URL"),
        ("https://me:secret@example.org/", "user or password"),
        ("https://example.org:0/", "port 0"),
        ("https://example.org:99999/", "no URL"),
        ("https://[::1/", "no URL"),
        ("no url", "no https URL"),
    ],
)
async def test_what_is_no_https_url_is_refused_without_its_secrets(url: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words) as caught:
        await reach(url, PUBLIC)
    assert "secret" not in str(caught.value)


async def test_a_public_address_needs_https_and_an_allowed_one_does_not() -> None:
    assert await reach("https://example.org/hook", PUBLIC) == PUBLIC
    assert await reach("https://example.org/", "64:ff9b::5db8:d70e") == "64:ff9b::5db8:d70e"
    with pytest.raises(AddressRefused, match="use https"):
        await reach("http://example.org/hook", PUBLIC)
    assert await reach("http://inside/", "10.2.0.1", allowed="10.2.0.0/16, 127.0.0.1") == "10.2.0.1"
    assert await reach("http://inside/", "::ffff:10.2.0.1", allowed="10.2.0.0/16")
    with pytest.raises(AddressRefused, match="no public address"):
        await reach("http://inside/", "10.3.0.1", allowed="10.2.0.0/16")


async def test_a_name_without_an_address_is_refused() -> None:
    async def fail(_host: str, _port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(AddressRefused, match="has no address"):
        await find_address(read_url("https://nobody.example/"), (), fail)  # type: ignore[arg-type]


def test_the_authority_names_a_port_that_is_not_the_usual_one() -> None:
    urls = ("https://a.example/x?y=1", "https://a.example:444", "http://[::1]:80/")

    assert [read_url(url).authority for url in urls] == ["a.example", "a.example:444", "[::1]"]
    assert [read_url(url).target for url in urls] == ["/x?y=1", "/", "/"]
