"""What each change does to the stored configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ServingBackend
from aurorasoc.errors import InvalidInput, KeyBoundToOrigin
from aurorasoc.granite.backend_resolution import require_ready
from aurorasoc.granite.base_url import normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG, ProviderSpec
from aurorasoc.llm.adoption.adopt import Stored
from aurorasoc.llm.adoption.compose import boot_origin
from aurorasoc.llm.adoption.stored import ProviderChoice
from aurorasoc.llm.changes.plan import Change, DeleteKey, Edited, KeyEdit, SetKey


class Unchanged:
    """Marks a field that the request left out. None is: back to the boot default."""


UNCHANGED: Final = Unchanged()

Field = str | None | Unchanged


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `PUT /system/llm/config` asks for."""

    provider: str
    model: Field = UNCHANGED
    orchestrator_model: Field = UNCHANGED
    base_url: Field = UNCHANGED
    api_key: SecretStr | Unchanged | None = UNCHANGED


def switch(settings: Settings, wanted: Configuration) -> Change:
    """Make a provider active, and configure it on the way."""
    if wanted.provider == AUTO:
        return _switch_to_auto(wanted)
    provider = ServingBackend(wanted.provider)
    spec = CATALOG[provider]

    def edit(before: Stored) -> Edited:
        choice = _new_choice(spec, before.runtime.choice(provider), wanted)
        origin = _effective_origin(settings, spec, choice)
        key: KeyEdit | None = None
        if isinstance(wanted.api_key, Unchanged):
            _require_same_origin(before.snapshot, spec, origin)
        elif wanted.api_key is None:
            key = _remove_key(before, provider)
        else:
            key = _store_key(before, spec, origin, wanted.api_key)
        runtime = replace(before.runtime.with_choice(provider, choice), backend=provider.value)
        return Edited(runtime, key, _told(wanted, key_changed=key is not None))

    return Change(
        "llm.config.changed",
        provider.value,
        edit,
        check=lambda candidate: require_ready(candidate.providers[provider]),
    )


def reset() -> Change:
    """Go back to the boot defaults; keys and policy stay."""

    def edit(before: Stored) -> Edited:
        return Edited(replace(before.runtime, backend=None, providers={}))

    return Change("llm.config.reset", "llm", edit)


def set_key(provider: ServingBackend, api_key: SecretStr) -> Change:
    """Store a provider's key for the origin that is effective now."""

    def edit(before: Stored) -> Edited:
        origin = before.snapshot.providers[provider].origin
        key = _store_key(before, CATALOG[provider], origin, api_key)
        return Edited(before.runtime, key, {"origin": origin})

    return Change("llm.key.set", provider.value, edit)


def delete_key(provider: ServingBackend) -> Change:
    """Remove a provider's stored key; the environment's, if there is one, is in force again."""

    def edit(before: Stored) -> Edited:
        return Edited(before.runtime, _remove_key(before, provider))

    return Change("llm.key.deleted", provider.value, edit)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What `PUT /system/llm/policy` asks for."""

    hosted_max_tlp: Field = UNCHANGED
    local_backend: Field = UNCHANGED
    require_tlp: bool | Unchanged | None = UNCHANGED

    def sent(self) -> dict[str, str | bool | None]:
        """The fields that are not left out."""
        values = {
            "hosted_max_tlp": self.hosted_max_tlp,
            "local_backend": self.local_backend,
            "require_tlp": self.require_tlp,
        }
        return {k: v for k, v in values.items() if not isinstance(v, Unchanged)}


def set_policy(wanted: PolicyChange) -> Change:
    """Change which data may go where."""
    sent: dict[str, Any] = wanted.sent()

    def edit(before: Stored) -> Edited:
        return Edited(replace(before.runtime, **sent), details=sent)

    return Change("llm.policy.changed", "llm", edit)


def _switch_to_auto(wanted: Configuration) -> Change:
    if wanted != Configuration(provider=AUTO):
        detail = "auto takes no other field: it chooses between the local backends as they are."
        raise InvalidInput(detail)

    def edit(before: Stored) -> Edited:
        return Edited(replace(before.runtime, backend=AUTO))

    return Change("llm.config.changed", AUTO, edit)


def _new_choice(spec: ProviderSpec, old: ProviderChoice, wanted: Configuration) -> ProviderChoice:
    base_url = wanted.base_url
    if isinstance(base_url, str):
        base_url = normalise_base_url(spec, base_url)
    return ProviderChoice(
        model=_or_old(wanted.model, old.model),
        orchestrator_model=_or_old(wanted.orchestrator_model, old.orchestrator_model),
        base_url=_or_old(base_url, old.base_url),
    )


def _or_old(new: Field, old: str | None) -> str | None:
    return old if isinstance(new, Unchanged) else new


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
    """Ask for a key to be stored; None when the very same is stored for the origin already."""
    if spec.key == "none":
        detail = f"{spec.label} takes no key."
        raise InvalidInput(detail)
    if origin is None:
        detail = f"{spec.label} has no base URL, so a key would belong nowhere. Set it first."
        raise InvalidInput(detail)
    stored = before.reading.credentials.get(spec.provider)
    if stored is not None and stored.origin == origin and stored.api_key == api_key:
        return None
    return SetKey(spec.provider, origin, api_key)


def _remove_key(before: Stored, provider: ServingBackend) -> DeleteKey | None:
    return DeleteKey(provider) if provider.value in before.rows else None


def _told(wanted: Configuration, *, key_changed: bool) -> Mapping[str, Any]:
    """What the audit entry says: every field that was sent, of the key only that it was."""
    fields = ("model", "orchestrator_model", "base_url")
    told: dict[str, Any] = {
        name: value for name in fields if not isinstance(value := getattr(wanted, name), Unchanged)
    }
    if not isinstance(wanted.api_key, Unchanged):
        told["key_changed"] = key_changed
    return told
