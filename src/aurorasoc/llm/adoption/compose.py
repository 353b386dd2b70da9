"""Compose settings, stored configuration and stored keys into one frozen Snapshot.

Pure: the same inputs give the same snapshot. The environment is the boot default, an admin's
choice wins, and each field records its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar

from aurorasoc.config.clients import NO_CLIENTS, Clients
from aurorasoc.config.fallbacks import on_refusal
from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import CallLimits, Policy, Snapshot, Source, Sourced
from aurorasoc.config.vocabulary import AUTO, BackendChoice, ConnectionName, Tlp
from aurorasoc.core.secret_store import StoreReading, apply_stored_keys_to_settings
from aurorasoc.errors import ConfigurationError, Conflict, InvalidInput
from aurorasoc.granite.base_url import normalise_base_url
from aurorasoc.llm.adoption.connection import Ambient, Digest, Seams, compose_connection
from aurorasoc.llm.adoption.declared import Declared, declared_connections
from aurorasoc.llm.adoption.fingerprint import fingerprint
from aurorasoc.llm.adoption.stored import StoredConfig

T = TypeVar("T")


def compose(  # noqa: PLR0913 - one for each input
    settings: Settings,
    stored: StoredConfig,
    reading: StoreReading,
    *,
    digest: Digest,
    ambient: Ambient,
    clients: Clients = NO_CLIENTS,
) -> Snapshot:
    """Compose the configuration in force.

    Stored values that no admin can have set make their provider not ready or the policy strict.

    Args:
        settings: The boot defaults.
        stored: What an admin chose.
        reading: The stored keys, and the state of their store.
        digest: Returns a tag that tells keys apart without revealing them (`Keyring.digest`).
        ambient: Names the variables that would alter a provider's calls.
        clients: The stored machine clients, whose key was opened.

    Raises:
        Conflict: This version doesn't know the stored backend.
    """
    existing, seams = declared_connections(settings, stored), Seams(digest, ambient)
    boot = replace(settings, connections={name: one.boot for name, one in existing.items()})
    applied = apply_stored_keys_to_settings(boot, reading.credentials)
    connections = {
        name: compose_connection(
            one, applied.connections[name], reading.credentials.get(name), seams
        )
        for name, one in existing.items()
    }
    requested, policy = _requested(settings, stored, existing), _policy(settings, stored, existing)
    limits = CallLimits(
        settings.llm.timeout,
        settings.llm.max_retries,
        settings.llm.max_concurrency,
        settings.llm.first_token_timeout,
    )
    snapshot = Snapshot(
        revision=stored.revision,
        fingerprint="",
        requested=requested,
        policy=policy,
        limits=limits,
        connections=MappingProxyType(connections),
        secret_store=reading.status,
        assignments=stored.assignments,
        hosted_traffic=stored.hosted_traffic,
        clients=clients,
        budgets=stored.budgets,
    )
    return replace(snapshot, fingerprint=fingerprint(snapshot))


def check_boot_defaults(settings: Settings) -> None:
    """Refuse invalid base URLs in the environment.

    Raises:
        ConfigurationError: A base URL is invalid; the message names the variable.
    """
    existing = declared_connections(settings, StoredConfig())
    for one in existing.values():
        if one.boot.base_url is None:
            continue
        try:
            normalise_base_url(one.spec, one.boot.base_url)
        except InvalidInput as error:
            wrong = error.detail.removeprefix("base_url ")
        else:
            continue
        detail = f"{one.variable('base_url')} can't be used as it is set; it {wrong}"
        raise ConfigurationError(detail)


def _requested(
    settings: Settings, stored: StoredConfig, existing: Mapping[ConnectionName, Declared]
) -> Sourced[BackendChoice]:
    if stored.backend is None:
        return Sourced(settings.llm.backend, _boot_source(settings, "backend"))
    if not knows_backend(stored, existing):
        detail = (
            "The stored configuration names a backend that this process doesn't know. Update it, "
            "declare the connection in its environment, too, or choose another backend."
        )
        raise Conflict(detail)
    return Sourced(stored.backend, "runtime")


def knows_backend(stored: StoredConfig, existing: Iterable[ConnectionName]) -> bool:
    """Return whether the stored backend exists here; one that isn't stored does."""
    return stored.backend is None or stored.backend in {AUTO, *existing}


def _policy(
    settings: Settings, stored: StoredConfig, existing: Mapping[ConnectionName, Declared]
) -> Policy:
    def first(chosen: T | None, field: str, boot: T) -> Sourced[T]:
        if chosen is not None:
            return Sourced(chosen, "runtime")
        return Sourced(boot, _boot_source(settings, field))

    llm = settings.llm
    max_tlp = None if stored.hosted_max_tlp is None else _label(stored.hosted_max_tlp)
    refusals = None if stored.on_refusal is None else on_refusal(stored.on_refusal)
    local = stored.local_backend
    if local not in {None, AUTO} and not (local in existing and existing[local].spec.may_be_local):
        local = AUTO
    return Policy(
        hosted_max_tlp=first(max_tlp, "hosted_max_tlp", llm.hosted_max_tlp),
        local_backend=first(local, "local_backend", llm.local_backend),
        require_tlp=first(stored.require_tlp, "require_tlp", llm.require_tlp),
        fallbacks=first(stored.fallbacks, "fallbacks", llm.fallbacks),
        on_refusal=first(refusals, "on_refusal", llm.on_refusal),
    )


def _label(stored: str) -> Tlp:
    """Return a stored limit; one that can't be read lets nothing labelled leave."""
    return Tlp(stored) if stored in set(Tlp) else Tlp.NONE


def _boot_source(settings: Settings, field: str) -> Source:
    return "env" if field in settings.llm.model_fields_set else "default"
