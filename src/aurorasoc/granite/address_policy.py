"""Which addresses a connection may go to. What is judged is the resolved address.

A name proves nothing: it may lead anywhere, and elsewhere a moment later. So the addresses are
judged when a base URL is set, and again at each connection, which goes to what was judged.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

RESOLVE_SECONDS: Final = 2.0

_NEVER: Final = tuple(
    ip_network(n)
    for n in (
        "0.0.0.0/8",  # this network (RFC 791)
        "100.100.100.200/32",  # a cloud's metadata service
        "168.63.129.16/32",  # a cloud's platform address
        "169.254.0.0/16",  # link-local (RFC 3927), metadata services among them
        "192.0.0.0/24",  # protocol assignments (RFC 6890)
        "224.0.0.0/3",  # multicast, reserved, broadcast
        "::/128",
        "64:ff9b:1::/48",  # local-use NAT64 (RFC 8215)
        "2001::/32",  # Teredo (RFC 4380)
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "fd20:ce::254/128",  # a cloud's metadata service
        "fd00:ec2::/32",  # a cloud's metadata service
        "fe80::/10",
        "ff00::/8",
    )
)
_INSIDE: Final = tuple(
    ip_network(n)
    for n in (
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared address space (RFC 6598)
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking (RFC 2544)
        "::1/128",
        "fc00::/7",
        "fec0::/10",
    )
)
_COMPATIBLE: Final = IPv6Network("::/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What one kind of connection may reach. Hashable: connections are pooled by it.

    Attributes:
        only: Nothing but these networks; None: by the two fields below.
        inside_allowed: Whether loopback and private ranges may be reached.
        allowed_hosts: `AURORA_ALLOWED_HOSTS`: reached even where they are inside.
    """

    only: tuple[Network, ...] | None = None
    inside_allowed: bool = False
    allowed_hosts: tuple[str, ...] = ()

    def refusal(self, host: str, addresses: Iterable[str]) -> str | None:
        """Say why a host may not be reached at these addresses; None where it may.

        A host with several addresses is judged by the worst of them.
        """
        for text in addresses:
            why = self._why_not(host.lower(), text)
            if why:
                return why
        return None

    def _why_not(self, host: str, text: str) -> str | None:
        address = _unmapped(ip_address(text.split("%", 1)[0]))
        never = _within(address, _NEVER) or _is_compatible(address)
        if self.only is not None:
            if _within(address, self.only) and not never:
                return None
            return f"{host} leads to an address outside LLM_LOCAL_NETWORKS"
        address = _translated(address)
        if never or _within(address, _NEVER):
            return f"{host} leads to a link-local, metadata or reserved address, never allowed"
        if not _within(address, _INSIDE) or self.inside_allowed or host in self.allowed_hosts:
            return None
        return (
            f"{host} leads to a loopback or private address; if that is meant, name the host in "
            "AURORA_ALLOWED_HOSTS"
        )


async def resolve(host: str, port: int) -> list[str]:
    """Give a host's addresses, in the resolver's order; empty where it has none.

    Args:
        host: A name, or an address, which stands for itself.
        port: Where it will be reached.
    """
    try:
        return [str(ip_address(host.strip("[]")))]
    except ValueError:
        pass
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
    except (OSError, TimeoutError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _unmapped(address: Address) -> Address:
    """Read an IPv4-mapped address (RFC 4291) as the IPv4 address that it is."""
    inner = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return inner or address


def _is_compatible(address: Address) -> bool:
    """Whether it is IPv4 in the form that RFC 4291 §2.5.5.1 withdrew; `::1` has another meaning."""
    return isinstance(address, IPv6Address) and address in _COMPATIBLE and not address.is_loopback


def _translated(address: Address) -> Address:
    """Give what a NAT64 (RFC 6052) or 6to4 (RFC 3056) address leads to behind the translator.

    That is judged where inside addresses are forbidden. It proves nothing about locality: the
    translator itself may be anywhere.
    """
    if not isinstance(address, IPv6Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or address


def _within(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == n.version and address in n for n in networks)
