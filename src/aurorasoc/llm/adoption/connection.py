"""Compose one connection: what was chosen, else the environment's word, else the catalog's.

Pure. Each field records its source, and each hindrance is a problem that says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from aurorasoc.config.call_options import NO_OPTIONS
from aurorasoc.config.settings.llm import ConnectionSettings
from aurorasoc.config.snapshot import (
    ABSENT,
    ConnectionConfig,
    Credential,
    Problem,
    Source,
    Sourced,
)
from aurorasoc.config.vocabulary import ServingBackend, Tlp
from aurorasoc.core.secret_store import last4_of
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.base_url import normalise_base_url, origin_of, origin_of_key
from aurorasoc.granite.catalog import ProviderSpec
from aurorasoc.llm.adoption.declared import Declared
from aurorasoc.llm.adoption.option_rules import sound

Digest = Callable[[bytes], str]
Ambient = Callable[[ServingBackend], tuple[str, ...]]


class Seams(NamedTuple):
    """The two functions that supply facts from outside."""

    digest: Digest
    ambient: Ambient


def compose_connection(
    declared: Declared, applied: ConnectionSettings, stored: Credential | None, seams: Seams
) -> ConnectionConfig:
    """Return a connection's active configuration.

    Args:
        declared: What is said of it, by whom.
        applied: Its boot defaults with the stored key applied.
        stored: Its stored key; None if there is none.
        seams: Facts from outside.
    """
    base_url = _base_url(declared)
    model = _model(declared, base_url)
    origin = origin_of(base_url.value) if base_url.value else None
    if declared.spec.base_url_support == "none":
        origin = declared.boot_origin
    credential = _credential(declared, applied, stored, origin, seams.digest)
    provider = declared.spec.provider
    problems = _problems(declared, model.value, origin, credential, seams.ambient(provider))
    options = sound(declared.choice.options)
    if options is None:
        problems.append(_unsound_options(declared))
    return ConnectionConfig(
        name=declared.name,
        provider=provider,
        source=declared.source,
        model=model,
        orchestrator_model=_orchestrator(declared, model),
        base_url=base_url,
        origin=origin,
        credential=credential,
        problems=tuple(problems),
        max_tlp=_max_tlp(declared),
        options=options or NO_OPTIONS,
    )


def _first(
    declared: Declared, chosen: str | None, field: str, default: str | None
) -> Sourced[str | None]:
    """Return the chosen value, else the environment's (even "none"), else the catalog's."""
    if chosen is not None:
        return Sourced(chosen, "runtime")
    if field in declared.boot_fields:
        return Sourced(getattr(declared.boot, field), "env")
    return Sourced(default, "default")


def _model(declared: Declared, base_url: Sourced[str | None]) -> Sourced[str | None]:
    """Return the specialist's model; a named connection has the catalog's at the vendor only."""
    at_vendor = base_url.source == "default" and declared.spec.base_url_support != "required"
    default = declared.spec.default_model if declared.built_in or at_vendor else None
    return _first(declared, declared.choice.model, "model", default)


def _orchestrator(declared: Declared, model: Sourced[str | None]) -> Sourced[str | None]:
    """Return the orchestrator: the catalog's only with the catalog's model, else the model."""
    from_catalog = model.source == "default" and model.value is not None
    default = declared.spec.default_orchestrator_model if from_catalog else None
    chosen = declared.choice.orchestrator_model
    orchestrator = _first(declared, chosen, "orchestrator_model", default)
    return orchestrator if orchestrator.value is not None else model


def _base_url(declared: Declared) -> Sourced[str | None]:
    if declared.spec.base_url_support == "none":
        return Sourced(None, "default")
    if declared.choice.base_url is not None:
        return Sourced(_readable(declared.spec, declared.choice.base_url), "runtime")
    source: Source = "env" if "base_url" in declared.boot_fields else "default"
    return Sourced(declared.boot_base_url, source)


def _readable(spec: ProviderSpec, base_url: str) -> str | None:
    """Return a stored address; None, which is not ready, if it isn't one that an admin can set."""
    try:
        normalise_base_url(spec, base_url)
    except InvalidInput:
        return None
    return base_url


def _max_tlp(declared: Declared) -> Sourced[Tlp | None]:
    """Return the ceiling; a stored one that can't be read lets nothing labelled go there."""
    chosen = declared.choice.max_tlp
    if chosen is not None:
        return Sourced(Tlp(chosen) if chosen in set(Tlp) else Tlp.NONE, "runtime")
    boot = declared.boot_max_tlp
    return Sourced(boot, "default" if boot is None else "env")


def _credential(
    declared: Declared,
    applied: ConnectionSettings,
    stored: Credential | None,
    origin: str | None,
    digest: Digest,
) -> Credential:
    """Return the key of the applied settings; it is in force at its origin only."""
    if declared.spec.key == "none":
        return ABSENT
    if stored is None:
        credential = _env_credential(declared, applied, digest)
    else:
        bound_to = origin_of_key(declared.name, declared.spec, stored.origin)
        credential = replace(stored, api_key=applied.api_key, origin=bound_to)
    if credential.state != "usable" or credential.origin == origin:
        return credential
    detail = (
        f"The key of {declared.name} belongs to {credential.origin or 'no address'}, and the base "
        f"URL now leads to {origin or 'nowhere'}. Enter the key for the new address, or set the "
        "old base URL."
    )
    problem = Problem("origin_changed", detail)
    return replace(credential, state="needs_reentry", api_key=None, problem=problem)


def _env_credential(declared: Declared, applied: ConnectionSettings, digest: Digest) -> Credential:
    if applied.api_key is None:
        return ABSENT
    return Credential(
        state="usable",
        source="env",
        origin=declared.boot_origin,
        api_key=applied.api_key,
        last4=last4_of(applied.api_key),
        tag=digest(applied.api_key.get_secret_value().encode()),
    )


def _problems(
    declared: Declared,
    model: str | None,
    origin: str | None,
    credential: Credential,
    ambient: tuple[str, ...],
) -> list[Problem]:
    if declared.elsewhere:
        return [_elsewhere(declared)]
    problems = []
    if model is None:
        or_variable = _or(declared, " or the {} env var before testing", "model")
        detail = (
            f"No model configured for {declared.name}. Set the specialist model in "
            f"Settings{or_variable}."
        )
        problems.append(Problem("no_model_configured", detail))
    if origin is None:
        or_variable = _or(declared, ", or {}", "base_url")
        detail = f"{declared.label} needs a base URL: set it{or_variable}."
        problems.append(Problem("base_url_missing", detail))
    if credential.problem is not None:
        problems.append(credential.problem)
    elif declared.spec.needs_key and credential.state == "absent":
        or_variable = _or(declared, ", or set {}", "api_key")
        detail = f"{declared.label} needs a key: store one{or_variable}."
        problems.append(Problem("key_missing", detail))
    if ambient:
        detail = (
            f"{', '.join(ambient)} in the environment would alter calls to {declared.name}. "
            "Unset it and restart."
        )
        problems.append(Problem("ambient_override", detail))
    return problems


def _or(declared: Declared, words: str, field: str) -> str:
    """Name the variable that also mends it; nothing for a connection made at runtime.

    A variable that configures what the environment doesn't declare stops the next boot.
    """
    return "" if declared.source == "runtime" else words.format(declared.variable(field))


def _elsewhere(declared: Declared) -> Problem:
    detail = (
        f"Another environment declares {declared.name}, and this process's doesn't: set "
        f"{declared.variable('provider')} and the rest here, too, as in every process."
    )
    return Problem("declared_elsewhere", detail)


def _unsound_options(declared: Declared) -> Problem:
    """No admin's change stored such options, at least not by this version's rules."""
    detail = f"The stored options of {declared.name} aren't allowed: set its options again."
    return Problem("options_invalid", detail)
