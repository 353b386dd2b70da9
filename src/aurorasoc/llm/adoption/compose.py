"""Compose settings, stored configuration and stored keys into one frozen Snapshot.

Pure: the same inputs give the same snapshot. The environment is the boot default, an admin's
choice wins, and each field records its source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple, TypeVar, cast, get_args

from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.llm import ProviderSettings
from aurorasoc.config.snapshot import (
    ABSENT,
    CallLimits,
    Credential,
    Policy,
    Problem,
    ProviderConfig,
    Snapshot,
    Source,
    Sourced,
)
from aurorasoc.config.vocabulary import AUTO, BackendChoice, LocalChoice, ServingBackend, Tlp
from aurorasoc.core.secret_store import StoreReading, apply_stored_keys_to_settings, last4_of
from aurorasoc.errors import ConfigurationError, Conflict, InvalidInput
from aurorasoc.granite.base_url import normalise_base_url, origin_of, origin_of_key
from aurorasoc.granite.catalog import CATALOG, ProviderSpec
from aurorasoc.llm.adoption.fingerprint import fingerprint
from aurorasoc.llm.adoption.stored import ProviderChoice, StoredConfig

T = TypeVar("T")

Digest = Callable[[bytes], str]
Ambient = Callable[[ServingBackend], tuple[str, ...]]


class _Seams(NamedTuple):
    """The two functions that supply facts from outside."""

    digest: Digest
    ambient: Ambient


def compose(
    settings: Settings,
    stored: StoredConfig,
    reading: StoreReading,
    *,
    digest: Digest,
    ambient: Ambient,
) -> Snapshot:
    """Compose the configuration in force.

    Stored values that no admin can have set make their provider not ready or the policy strict.

    Args:
        settings: The boot defaults.
        stored: What an admin chose.
        reading: The stored keys, and the state of their store.
        digest: Returns a tag that tells keys apart without revealing them (`Keyring.digest`).
        ambient: Names the variables that would alter a provider's calls.

    Raises:
        Conflict: This version doesn't know the stored backend.
    """
    applied = apply_stored_keys_to_settings(settings, reading.credentials)
    providers = {
        provider: _provider(
            spec,
            applied.providers[provider],
            stored.choice(provider),
            reading.credentials.get(provider),
            _Seams(digest, ambient),
        )
        for provider, spec in CATALOG.items()
    }
    requested, policy = _requested(settings, stored), _policy(settings, stored)
    limits = CallLimits(
        settings.llm.timeout,
        settings.llm.max_retries,
        settings.llm.max_concurrency,
        settings.llm.first_token_timeout,
    )
    return Snapshot(
        revision=stored.revision,
        fingerprint=fingerprint(requested.value, policy, providers),
        requested=requested,
        policy=policy,
        limits=limits,
        providers=MappingProxyType(providers),
        secret_store=reading.status,
    )


def check_boot_defaults(settings: Settings) -> None:
    """Refuse invalid base URLs in the environment.

    Raises:
        ConfigurationError: A base URL is invalid; the message names the variable.
    """
    for provider, boot in settings.providers.items():
        if boot.base_url is None:
            continue
        try:
            normalise_base_url(CATALOG[provider], boot.base_url)
        except InvalidInput as error:
            wrong = error.detail.removeprefix("base_url ")
        else:
            continue
        variable = CATALOG[provider].variable("base_url")
        detail = f"{variable} can't be used as it is set; it {wrong}"
        raise ConfigurationError(detail)


def boot_origin(spec: ProviderSpec, boot: ProviderSettings) -> str | None:
    """Return a provider's origin when nothing is stored; an environment key belongs to it."""
    if spec.base_url_support == "none":
        return origin_of(spec.default_base_url)
    base_url = _boot_base_url(spec, boot)
    return origin_of(base_url) if base_url else None


def _provider(
    spec: ProviderSpec,
    applied: ProviderSettings,
    choice: ProviderChoice,
    stored: Credential | None,
    seams: _Seams,
) -> ProviderConfig:
    model = _first(choice.model, applied, "model", spec.default_model)
    base_url = _base_url(spec, applied, choice)
    origin = origin_of(base_url.value) if base_url.value else None
    if spec.base_url_support == "none":
        origin = boot_origin(spec, applied)
    credential = _credential(spec, applied, stored, origin, seams.digest)
    return ProviderConfig(
        provider=spec.provider,
        model=model,
        orchestrator_model=_orchestrator(spec, applied, choice, model),
        base_url=base_url,
        origin=origin,
        credential=credential,
        problems=tuple(
            _problems(spec, model.value, origin, credential, seams.ambient(spec.provider))
        ),
    )


def _first(
    chosen: str | None, boot: ProviderSettings, field: str, default: str | None
) -> Sourced[str | None]:
    """Return the chosen value, else the environment's (even "none"), else the catalog's."""
    if chosen is not None:
        return Sourced(chosen, "runtime")
    if field in boot.model_fields_set:
        return Sourced(getattr(boot, field), "env")
    return Sourced(default, "default")


def _orchestrator(
    spec: ProviderSpec, boot: ProviderSettings, choice: ProviderChoice, model: Sourced[str | None]
) -> Sourced[str | None]:
    """Return the orchestrator: the catalog's only with the catalog's model, else the model."""
    default = spec.default_orchestrator_model if model.source == "default" else None
    orchestrator = _first(choice.orchestrator_model, boot, "orchestrator_model", default)
    return orchestrator if orchestrator.value is not None else model


def _base_url(
    spec: ProviderSpec, boot: ProviderSettings, choice: ProviderChoice
) -> Sourced[str | None]:
    if spec.base_url_support == "none":
        return Sourced(None, "default")
    if choice.base_url is not None:
        return Sourced(_readable(spec, choice.base_url), "runtime")
    source: Source = "env" if "base_url" in boot.model_fields_set else "default"
    return Sourced(_boot_base_url(spec, boot), source)


def _readable(spec: ProviderSpec, base_url: str) -> str | None:
    """Return a stored address; None, which is not ready, if it isn't one that an admin can set."""
    try:
        normalise_base_url(spec, base_url)
    except InvalidInput:
        return None
    return base_url


def _boot_base_url(spec: ProviderSpec, boot: ProviderSettings) -> str | None:
    """Read an empty setting as no address if the backend needs one, else as the vendor's."""
    text = boot.base_url
    if text is None and "base_url" in boot.model_fields_set and spec.base_url_support == "required":
        return None
    return normalise_base_url(spec, text or spec.default_base_url)


def _credential(
    spec: ProviderSpec,
    applied: ProviderSettings,
    stored: Credential | None,
    origin: str | None,
    digest: Digest,
) -> Credential:
    """Return the key of the applied settings; it is in force at its origin only."""
    if spec.key == "none":
        return ABSENT
    if stored is None:
        credential = _env_credential(spec, applied, digest)
    else:
        bound_to = origin_of_key(spec, stored.origin)
        credential = replace(stored, api_key=applied.api_key, origin=bound_to)
    if credential.state != "usable" or credential.origin == origin:
        return credential
    detail = (
        f"The key of {spec.provider} belongs to {credential.origin}, and the base URL now "
        f"leads to {origin or 'nowhere'}. Enter the key for the new address, or set the old "
        "base URL."
    )
    problem = Problem("origin_changed", detail)
    return replace(credential, state="needs_reentry", api_key=None, problem=problem)


def _env_credential(spec: ProviderSpec, boot: ProviderSettings, digest: Digest) -> Credential:
    if boot.api_key is None:
        return ABSENT
    return Credential(
        state="usable",
        source="env",
        origin=boot_origin(spec, boot),
        api_key=boot.api_key,
        last4=last4_of(boot.api_key),
        tag=digest(boot.api_key.get_secret_value().encode()),
    )


def _problems(
    spec: ProviderSpec,
    model: str | None,
    origin: str | None,
    credential: Credential,
    ambient: tuple[str, ...],
) -> list[Problem]:
    problems = []
    if model is None:
        detail = (
            f"No model configured for {spec.provider}. Set the specialist model in Settings or "
            f"the {spec.variable('model')} env var before testing."
        )
        problems.append(Problem("no_model_configured", detail))
    if origin is None:
        detail = f"{spec.label} needs a base URL: set it, or {spec.variable('base_url')}."
        problems.append(Problem("base_url_missing", detail))
    if credential.problem is not None:
        problems.append(credential.problem)
    elif spec.needs_key and credential.state == "absent":
        detail = f"{spec.label} needs a key: store one, or set {spec.variable('api_key')}."
        problems.append(Problem("key_missing", detail))
    if ambient:
        detail = (
            f"{', '.join(ambient)} in the environment would alter calls to {spec.provider}. "
            "Unset it and restart."
        )
        problems.append(Problem("ambient_override", detail))
    return problems


def _requested(settings: Settings, stored: StoredConfig) -> Sourced[BackendChoice]:
    if stored.backend is not None:
        return Sourced(_known_backend(stored.backend), "runtime")
    return Sourced(settings.llm.backend, _boot_source(settings, "backend"))


def _known_backend(name: str) -> BackendChoice:
    if name == AUTO:
        return AUTO
    if name in set(ServingBackend):
        return ServingBackend(name)
    detail = (
        "The stored configuration names a backend that this version doesn't know. Update this "
        "process, or choose another backend."
    )
    raise Conflict(detail)


def knows_backend(stored: StoredConfig) -> bool:
    """Return whether this version knows the stored backend; one that isn't stored is known."""
    return stored.backend is None or stored.backend in {AUTO, *ServingBackend}


def _policy(settings: Settings, stored: StoredConfig) -> Policy:
    def first(chosen: T | None, field: str, boot: T) -> Sourced[T]:
        if chosen is not None:
            return Sourced(chosen, "runtime")
        return Sourced(boot, _boot_source(settings, field))

    llm = settings.llm
    max_tlp = None if stored.hosted_max_tlp is None else _label(stored.hosted_max_tlp)
    local = stored.local_backend
    if local is not None and local not in get_args(LocalChoice):
        local = AUTO
    local = cast("LocalChoice | None", local)
    return Policy(
        hosted_max_tlp=first(max_tlp, "hosted_max_tlp", llm.hosted_max_tlp),
        local_backend=first(local, "local_backend", llm.local_backend),
        require_tlp=first(stored.require_tlp, "require_tlp", llm.require_tlp),
    )


def _label(stored: str) -> Tlp:
    """Return a stored limit; one that can't be read lets nothing labelled leave."""
    return Tlp(stored) if stored in set(Tlp) else Tlp.NONE


def _boot_source(settings: Settings, field: str) -> Source:
    return "env" if field in settings.llm.model_fields_set else "default"
