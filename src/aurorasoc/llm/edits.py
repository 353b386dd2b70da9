"""What each change does to the stored configuration. Pure of HTTP; runs in the transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import SecretStr

from aurorasoc.config.settings import Settings
from aurorasoc.config.snapshot import Snapshot
from aurorasoc.config.vocabulary import AUTO, ServingBackend
from aurorasoc.core.secret_store import last4_of
from aurorasoc.core.tables import CredentialRow
from aurorasoc.errors import InvalidInput, KeyBoundToOrigin
from aurorasoc.granite.backend_resolution import require_ready
from aurorasoc.granite.base_url import normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG, ProviderSpec
from aurorasoc.llm.change import Change, Edited, Workspace
from aurorasoc.llm.compose import boot_origin
from aurorasoc.llm.runtime_config import ProviderChoice


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

    async def edit(work: Workspace) -> Edited:
        choice = _new_choice(spec, work.stored.runtime.choice(provider), wanted)
        origin = _effective_origin(settings, spec, choice)
        if isinstance(wanted.api_key, Unchanged):
            _require_same_origin(work.stored.snapshot, spec, origin)
            key_changed = False
        elif wanted.api_key is None:
            key_changed = await _remove_key(work, provider)
        else:
            key_changed = await _store_key(work, spec, origin, wanted.api_key)
        runtime = replace(work.stored.runtime.with_choice(provider, choice), backend=provider.value)
        return Edited(runtime, key_changed, _told(wanted, key_changed=key_changed))

    return Change(
        "llm.config.changed",
        provider.value,
        edit,
        check=lambda candidate: require_ready(candidate.providers[provider]),
    )


def reset() -> Change:
    """Go back to the boot defaults; keys and policy stay."""

    async def edit(work: Workspace) -> Edited:
        return Edited(replace(work.stored.runtime, backend=None, providers={}))

    return Change("llm.config.reset", "llm", edit)


def set_key(provider: ServingBackend, api_key: SecretStr) -> Change:
    """Store a provider's key for the origin that is effective now."""
    spec = CATALOG[provider]

    async def edit(work: Workspace) -> Edited:
        origin = work.stored.snapshot.providers[provider].origin
        changed = await _store_key(work, spec, origin, api_key)
        return Edited(work.stored.runtime, changed, {"origin": origin})

    return Change("llm.key.set", provider.value, edit)


def delete_key(provider: ServingBackend) -> Change:
    """Remove a provider's stored key; the environment's, if there is one, is in force again."""

    async def edit(work: Workspace) -> Edited:
        changed = await _remove_key(work, provider)
        return Edited(work.stored.runtime, changed)

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

    async def edit(work: Workspace) -> Edited:
        return Edited(replace(work.stored.runtime, **sent), details=sent)

    return Change("llm.policy.changed", "llm", edit)


def _switch_to_auto(wanted: Configuration) -> Change:
    if wanted != Configuration(provider=AUTO):
        detail = "auto takes no other field: it chooses between the local backends as they are."
        raise InvalidInput(detail)

    async def edit(work: Workspace) -> Edited:
        return Edited(replace(work.stored.runtime, backend=AUTO))

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


async def _store_key(
    work: Workspace, spec: ProviderSpec, origin: str | None, api_key: SecretStr
) -> bool:
    """Seal a key into its row; False when the very same key is stored for the origin already."""
    if spec.key == "none":
        detail = f"{spec.label} takes no key."
        raise InvalidInput(detail)
    if origin is None:
        detail = f"{spec.label} has no base URL, so a key would belong nowhere. Set it first."
        raise InvalidInput(detail)
    if _same_key(work, spec.provider, origin, api_key):
        return False
    stored = await work.store.write(spec.provider, origin, api_key, operation_id=work.operation_id)
    await work.session.merge(
        CredentialRow(
            provider=spec.provider.value,
            origin=origin,
            token=stored.token,
            key_id=stored.key_id,
            last4=last4_of(api_key),
            vault_version=stored.vault_version,
            operation_id=work.operation_id,
            set_by=work.actor,
            set_us=work.at_us,
        )
    )
    return True


def _same_key(work: Workspace, provider: ServingBackend, origin: str, api_key: SecretStr) -> bool:
    stored = work.stored.snapshot.providers[provider].credential
    return (
        provider.value in work.stored.rows
        and stored.origin == origin
        and stored.api_key is not None
        and stored.api_key.get_secret_value() == api_key.get_secret_value()
    )


async def _remove_key(work: Workspace, provider: ServingBackend) -> bool:
    row = work.stored.rows.get(provider.value)
    if row is None:
        return False
    await work.store.remove(provider, operation_id=work.operation_id)
    await work.session.delete(row)
    await work.session.flush()
    return True


def _told(wanted: Configuration, *, key_changed: bool) -> Mapping[str, Any]:
    """What the audit entry says: every field that was sent, of the key only that it was."""
    fields = ("model", "orchestrator_model", "base_url")
    told: dict[str, Any] = {
        name: value for name in fields if not isinstance(value := getattr(wanted, name), Unchanged)
    }
    if not isinstance(wanted.api_key, Unchanged):
        told["key_changed"] = key_changed
    return told
