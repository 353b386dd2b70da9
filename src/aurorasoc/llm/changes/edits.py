"""What each change does to the stored configuration. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ServingBackend
from aurorasoc.core.audit.actions import Action
from aurorasoc.errors import InvalidInput, KeyBoundToOrigin
from aurorasoc.granite.backend_resolution import require_ready
from aurorasoc.granite.base_url import origin_of
from aurorasoc.granite.catalog import ProviderSpec, spec_of
from aurorasoc.llm.adoption.adopt import Stored
from aurorasoc.llm.adoption.compose import boot_origin
from aurorasoc.llm.adoption.stored import ProviderChoice, StoredConfig
from aurorasoc.llm.changes.plan import Change, DeleteKey, Edited, KeyEdit, SetKey
from aurorasoc.llm.changes.requests import ConfigRequest, PolicyRequest

_CHOICES = {"model", "orchestrator_model", "base_url"}
"""Fields of a `ProviderChoice` that a request may set, by the same names."""


def switch(settings: Settings, requested: ConfigRequest) -> Change:
    """Make a provider active and configure it.

    Args:
        settings: The boot defaults.
        requested: What to switch to; its base URL is already normalised.

    Raises:
        UnknownProvider, InvalidInput: The request can't be met.
    """
    if requested.provider == AUTO:
        return _switch_to_auto(requested)
    spec = spec_of(requested.provider)
    sent: dict[str, Any] = requested.model_dump(include=_CHOICES, exclude_unset=True)

    def edit(before: Stored) -> Edited:
        choice = replace(before.config.choice(spec.provider), **sent)
        config = before.config.with_choice(spec.provider, choice)
        config = replace(config, backend=spec.provider.value)
        origin = _effective_origin(settings, spec, choice)
        if "api_key" not in requested.model_fields_set:
            _require_same_origin(before.snapshot, spec, origin)
            return Edited(config, details=sent)
        if requested.api_key is None:
            key: KeyEdit | None = _remove_key(before, spec.provider)
        else:
            key = _store_key(before, spec, origin, requested.api_key)
        return Edited(config, key, {**sent, "key_changed": key is not None})

    return Change(
        Action.CONFIG_CHANGED,
        spec.provider.value,
        edit,
        check=lambda candidate: require_ready(candidate.providers[spec.provider]),
    )


def _switch_to_auto(requested: ConfigRequest) -> Change:
    if requested.model_fields_set != {"provider"}:
        detail = "auto takes no other field: it chooses between the local backends as they are."
        raise InvalidInput(detail)
    return Change(
        Action.CONFIG_CHANGED, AUTO, lambda before: Edited(replace(before.config, backend=AUTO))
    )


def reset() -> Change:
    """Go back to the boot defaults; keys and policy stay."""

    def edit(before: Stored) -> Edited:
        return Edited(replace(before.config, backend=None, providers={}))

    return Change(Action.CONFIG_RESET, "llm", edit)


def set_policy(requested: PolicyRequest) -> Change:
    """Change the sensitivity policy."""
    sent: dict[str, Any] = requested.model_dump(mode="json", exclude_unset=True)
    return Change(
        Action.POLICY_CHANGED,
        "llm",
        lambda before: Edited(replace(before.config, **sent), details=sent),
    )


def roll_back(earlier: StoredConfig) -> Change:
    """Restore an earlier configuration. Keys are not rolled back."""

    def edit(before: Stored) -> Edited:
        config = replace(earlier, revision=before.config.revision)
        return Edited(config, details={"to_revision": earlier.revision})

    return Change(Action.CONFIG_ROLLED_BACK, "llm", edit, check=_require_active_ready)


def _require_active_ready(candidate: Snapshot) -> None:
    requested = candidate.requested.value
    if requested != AUTO:
        require_ready(candidate.providers[ServingBackend(requested)])


def set_key(name: str, api_key: SecretStr) -> Change:
    """Store a provider's key for the origin that is effective now.

    Raises:
        UnknownProvider: There is no such provider.
    """
    spec = spec_of(name)

    def edit(before: Stored) -> Edited:
        origin = before.snapshot.providers[spec.provider].origin
        key = _store_key(before, spec, origin, api_key)
        return Edited(before.config, key, {"origin": origin})

    return Change(Action.KEY_SET, spec.provider.value, edit)


def delete_key(name: str) -> Change:
    """Remove a provider's stored key. A key from the environment, if set, applies again.

    Raises:
        UnknownProvider: There is no such provider.
    """
    provider = spec_of(name).provider
    return Change(
        Action.KEY_DELETED,
        provider.value,
        lambda before: Edited(before.config, _remove_key(before, provider)),
    )


def _effective_origin(settings: Settings, spec: ProviderSpec, choice: ProviderChoice) -> str | None:
    if choice.base_url is not None:
        return origin_of(choice.base_url)
    return boot_origin(spec, settings.providers[spec.provider])


def _require_same_origin(before: Snapshot, spec: ProviderSpec, origin: str | None) -> None:
    config = before.providers[spec.provider]
    if config.credential.api_key is None or origin == config.origin:
        return
    detail = (
        f"The key in force for {spec.provider} belongs to {config.origin}. Send api_key together "
        f"with the new base_url, or delete the key first."
    )
    raise KeyBoundToOrigin(detail)


def _store_key(
    before: Stored, spec: ProviderSpec, origin: str | None, api_key: SecretStr
) -> SetKey | None:
    """Return the edit that stores a key; None if it is already stored for the origin."""
    if spec.key == "none":
        detail = f"{spec.label} takes no key."
        raise InvalidInput(detail)
    if origin is None:
        detail = f"{spec.label} has no base URL to bind a key to. Set it first."
        raise InvalidInput(detail)
    stored = before.reading.credentials.get(spec.provider)
    if stored is not None and stored.origin == origin and stored.api_key == api_key:
        return None
    return SetKey(spec.provider, origin, api_key)


def _remove_key(before: Stored, provider: ServingBackend) -> DeleteKey | None:
    return DeleteKey(provider) if provider.value in before.key_rows else None
