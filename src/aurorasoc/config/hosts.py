"""Host names and addresses, in the one form in which they are compared."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
"""A label of a host name. Containers' names have underscores, as DNS allows (RFC 2181 §11)."""

_NUMERIC_LABEL: Final = re.compile(r"(0x[0-9a-f]*|[0-9]+)")
_PUBLIC: Final = re.compile(
    r"(?P<scheme>https?://)?(?P<host>\[[0-9a-f:.]+\]|[^\[\]:/]+|[0-9a-f:.]+)(?::(?P<port>[0-9]{1,5}))?"
)
_PORTS: Final = range(1, 65_536)
_MAX_LENGTH: Final = 253


def is_host(host: str) -> bool:
    """Accept names and canonical addresses; refuse `2130706433`, `127.1` and `0x7f.1`.

    Args:
        host: In lower case, without brackets.
    """
    try:
        ip_address(host)
    except ValueError:
        name = host.removesuffix(".")
        labels = name.split(".")
        plain = len(name) <= _MAX_LENGTH and all(map(_LABEL.fullmatch, labels))
        return plain and not _NUMERIC_LABEL.fullmatch(labels[-1])
    return "%" not in host


def comparable(host: str) -> str:
    """Return a host in lower case, without brackets and final dot, an address in its short form."""
    name = host.lower()
    name = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ip_address(name))
    except ValueError:
        return name.removesuffix(".")


def _is_comparable(host: str) -> bool:
    """Whether it is a host in its form for comparison; two final dots leave one, and no host."""
    return is_host(host) and not host.endswith(".")


def hosts_of(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of hosts.

    Raises:
        ValueError: An entry is no host, and so could never match one.
    """
    hosts = tuple(comparable(entry.strip()) for entry in text.split(",") if entry.strip())
    if not all(map(_is_comparable, hosts)):
        msg = (
            "host names or addresses, comma-separated, such as gateway.example,10.0.0.5: without "
            "scheme, port, path, network size or *, international names as xn--…"
        )
        raise ValueError(msg)
    return hosts


def public_hosts_of(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of hosts, each alone or with a port, or with scheme and port.

    Raises:
        ValueError: An entry is none of these.
    """
    return tuple(_public_host(entry.strip()) for entry in text.split(",") if entry.strip())


def _public_host(entry: str) -> str:
    match = _PUBLIC.fullmatch(entry.lower())
    name = comparable(match["host"]) if match else ""
    if match is None or not _is_comparable(name) or int(match["port"] or 1) not in _PORTS:
        msg = (
            "host names or addresses, comma-separated, each alone or with a port, or with scheme "
            "and port, such as soc.example,https://soc.example:8443: without path or *, "
            "international names as xn--…"
        )
        raise ValueError(msg)
    port = f":{int(match['port'])}" if match["port"] else ""
    shown = f"[{name}]" if ":" in name and (match["scheme"] or port) else name
    return f"{match['scheme'] or ''}{shown}{port}"
