"""What an address policy allows, and how an address is read."""

from ipaddress import ip_network
from typing import Final

import pytest

from aurorasoc.granite.address_policy import AddressPolicy, resolve

UNSEEN: Final = (
    "[::7f00:1]",  # IPv4-compatible (RFC 4291 §2.5.5.1)
    "[::a9fe:a9fe]",
    "[::ffff:0:7f00:1]",  # IPv4-translated (RFC 2765)
    "[64:ff9b:1::7f00:1]",  # local-use NAT64 (RFC 8215)
    "[64:ff9b:1::a9fe:a9fe]",
    "[2001:0:7f00:1::1]",  # Teredo (RFC 4380)
    "[fd20:ce::254]",  # a cloud's metadata service, over IPv6
)
"""Notations and addresses that the policy doesn't know yet."""


@pytest.mark.parametrize("host", UNSEEN)
def test_embedded_and_forgotten_addresses_are_never_allowed(host: str) -> None:
    """An address that hides another, or a metadata service, is refused to local providers too."""
    assert AddressPolicy(inside_allowed=True).refusal("host", [host.strip("[]")])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_address_passes(address: str) -> None:
    """A vendor's address is nobody's inside."""
    assert AddressPolicy().refusal("api.example", [address]) is None


@pytest.mark.parametrize(
    "policy", [AddressPolicy(), AddressPolicy(only=(ip_network("8.0.0.0/8"),))]
)
def test_worst_of_several_addresses_decides(policy: AddressPolicy) -> None:
    """A name that leads to a public and to a private address is refused as a whole."""
    assert policy.refusal("two.example", ["8.8.8.8"]) is None
    assert policy.refusal("two.example", ["8.8.8.8", "10.0.0.1"]) is not None


def test_restricted_policy_ignores_allowed_hosts() -> None:
    """What AURORA_ALLOWED_HOSTS opens is not local for that."""
    policy = AddressPolicy(only=(ip_network("10.0.0.0/8"),), allowed_hosts=("gateway.lan",))
    assert "LLM_LOCAL_NETWORKS" in str(policy.refusal("gateway.lan", ["192.168.0.1"]))


def test_allowed_host_is_matched_whole_and_without_case() -> None:
    """Neither a subdomain nor a longer name is allowed by a host's name."""
    policy = AddressPolicy(allowed_hosts=("gateway.lan",))
    assert policy.refusal("Gateway.LAN", ["10.0.0.1"]) is None
    for other in ("a.gateway.lan", "gateway.lan.example", "xgateway.lan", "gateway"):
        assert policy.refusal(other, ["10.0.0.1"]) is not None


def test_allowed_address_is_matched_in_any_spelling_but_not_by_a_name() -> None:
    """A name that leads to an allowed address is another host."""
    policy = AddressPolicy(allowed_hosts=("fd00::1",))
    assert policy.refusal("fd00:0:0::1", ["fd00::1"]) is None
    assert policy.refusal("gateway.lan", ["fd00::1"]) is not None


async def test_address_stands_for_itself() -> None:
    """No resolver is asked about an address."""
    assert await resolve("[::FFFF:127.0.0.1]", 80) == ["::ffff:7f00:1"]
    assert await resolve("10.0.0.1", 80) == ["10.0.0.1"]
