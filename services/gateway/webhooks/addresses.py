"""Which addresses a webhook may reach: public ones, and networks that the operator allows.

A tenant chooses the URL, and the gateway stands inside of the operator's network: without this
check a tenant could make it ask services there (server-side request forgery). The address is
checked at each request, after the name was resolved, and the connection goes to that address: a
name that resolves to another one a moment later changes nothing. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urlsplit

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]
NAT64: Final = IPv6Network("64:ff9b::/96")
"""Addresses that a translator sends on to the IPv4 address in their last 32 bits."""
PROTOCOL_ASSIGNMENTS: Final = IPv4Network("192.0.0.0/24")
PORTS: Final = {"http": 80, "https": 443}


class AddressRefused(Exception):
    """A webhook's address may not be reached; the message is for its owner."""


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """A URL by its parts; `target` is the path with the query."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def read_url(url: str) -> WebhookUrl:
    """The parts of a webhook's URL.

    Raises:
        AddressRefused: it is none, or has a user, or another scheme than http and https.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise AddressRefused("is no URL; write https://HOST/PATH") from None
    if parts.scheme not in PORTS or not parts.hostname:
        raise AddressRefused("is no https URL; write https://HOST/PATH")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("has a user or password; the signature is proof enough")
    if port == 0:
        raise AddressRefused("has port 0, which nobody can have")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebhookUrl(parts.scheme, parts.hostname, port or PORTS[parts.scheme], target)


def parse_networks(text: str) -> tuple[IpNetwork, ...]:
    """Networks by commas, such as `10.0.0.0/8, 127.0.0.1`.

    Raises:
        ValueError: one is none.
    """
    return tuple(ipaddress.ip_network(each.strip()) for each in text.split(",") if each.strip())


def is_public(address: IpAddress) -> bool:
    """Whether an address is of the public internet, also the one that it stands for."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if address.teredo is not None:
            return False
        if inner is not None:
            return is_public(inner)
    if isinstance(address, IPv4Address) and address in PROTOCOL_ASSIGNMENTS:
        return False  # not to every version of Python
    return address.is_global and not address.is_multicast and not address.is_reserved


async def find_address(
    url: WebhookUrl, allowed: Sequence[IpNetwork], resolve: Resolve | None = None
) -> str:
    """The address to connect to.

    Raises:
        AddressRefused: the name does not resolve, one of its addresses is private and not allowed,
            or the public internet would be crossed without encryption.
    """
    try:
        found = [ipaddress.ip_address(a) for a in await (resolve or look_up)(url.host, url.port)]
    except (OSError, ValueError) as error:
        raise AddressRefused(f"{url.host} has no address: {error}") from error
    if not found:
        raise AddressRefused(f"{url.host} has no address")
    for address in found:
        # All of them: the next look-up may put another one first.
        if _is_allowed(address, allowed):
            continue
        if not is_public(address):
            raise AddressRefused(
                f"{url.host} is {address}, which is no public address; the operator can allow its "
                "network in ARCHON_GATEWAY_WEBHOOK_PRIVATE_NETWORKS"
            )
        if url.scheme != "https":
            raise AddressRefused("http crosses the internet unencrypted; use https")
    return str(found[0])


async def look_up(host: str, port: int) -> list[str]:
    """The addresses of a name, or the address that the text is."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A scope such as `%eth0` names an interface of this machine: no address of the internet.
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _is_allowed(address: IpAddress, allowed: Sequence[IpNetwork]) -> bool:
    inner = getattr(address, "ipv4_mapped", None) or address
    return any(inner in network for network in allowed if network.version == inner.version)
