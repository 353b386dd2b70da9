"""Networks that no connection may reach, whatever is configured."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

NEVER_REACHED: Final = tuple(
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

_MAPPED: Final = IPv6Network("::ffff:0:0/96")
"""IPv4-mapped (RFC 4291): such an address is judged as the IPv4 address inside it."""


def can_match(network: Network) -> bool:
    """Return whether an address in this network may be reached at all."""
    return not any(_holds(wider, network) for wider in (*NEVER_REACHED, _MAPPED))


def _holds(wider: Network, network: Network) -> bool:
    if isinstance(wider, IPv4Network):
        return isinstance(network, IPv4Network) and network.subnet_of(wider)
    return isinstance(network, IPv6Network) and network.subnet_of(wider)
