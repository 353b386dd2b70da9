"""Which connections exist: the built-in ones, the environment's, and those made at runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aurorasoc.config.settings import Settings
from aurorasoc.config.settings.connections import NamedConnectionSettings, variable_prefix
from aurorasoc.config.settings.llm import ConnectionSettings
from aurorasoc.config.snapshot import Source
from aurorasoc.config.vocabulary import BUILT_IN, ConnectionName, ServingBackend, Tlp
from aurorasoc.granite.base_url import normalise_base_url, origin_of
from aurorasoc.granite.catalog import CATALOG, ProviderSpec
from aurorasoc.llm.adoption.stored import ConnectionChoice, StoredConfig

_NOTHING: Final = ConnectionSettings.model_construct()
"""What the environment says of a connection that it doesn't know; nothing is read for it."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A connection that exists.

    Attributes:
        spec: The facts of its provider.
        boot: What the environment says of it.
        choice: What was chosen at runtime.
        source: Who declares it: `default` for a built-in one.
    """

    name: ConnectionName
    spec: ProviderSpec
    boot: ConnectionSettings
    choice: ConnectionChoice
    source: Source

    @property
    def built_in(self) -> bool:
        """Whether it always exists."""
        return self.source == "default"

    @property
    def elsewhere(self) -> bool:
        """Whether another process's environment declares it, and this one's doesn't.

        Its address, ceiling and key aren't known here: no default may stand in for them.
        """
        return self.source == "runtime" and self.choice.from_env is True

    @property
    def label(self) -> str:
        """What messages call it."""
        return self.spec.label if self.built_in else f"The connection {self.name}"

    def variable(self, field: str) -> str:
        """Name the environment variable of a field, e.g. `LLM_CONNECTION_EU_AZURE_MODEL`."""
        if self.built_in:
            return self.spec.variable(field)
        return variable_prefix(self.name) + field.upper()

    @property
    def boot_max_tlp(self) -> Tlp | None:
        """The environment's ceiling; None if it sets none."""
        return self.boot.max_tlp if isinstance(self.boot, NamedConnectionSettings) else None

    @property
    def boot_base_url(self) -> str | None:
        """The base URL without a choice; None if there is none.

        An empty setting means no address if the backend needs one, else the vendor's. A named
        connection to a server of one's own has no default: it exists beside the built-in one.
        """
        spec, text = self.spec, self.boot.base_url
        if spec.base_url_support == "none" or self.elsewhere:
            return None
        needs_one = spec.base_url_support == "required"
        if text is None and needs_one and (not self.built_in or "base_url" in self.boot_fields):
            return None
        return normalise_base_url(spec, text or spec.default_base_url)

    @property
    def boot_fields(self) -> set[str]:
        """The fields that the environment sets, be it to nothing."""
        return self.boot.model_fields_set

    @property
    def boot_origin(self) -> str | None:
        """The origin without a choice; a key from the environment belongs to it."""
        if self.elsewhere:
            return None
        if self.spec.base_url_support == "none":
            return origin_of(self.spec.default_base_url)
        base_url = self.boot_base_url
        return origin_of(base_url) if base_url else None


def declared_connections(
    settings: Settings, stored: StoredConfig
) -> dict[ConnectionName, Declared]:
    """Return every connection: the built-in ones in the catalog's order, then the others."""
    named = {name for name in settings.connections if name not in BUILT_IN}
    named |= {name for name, choice in stored.providers.items() if choice.provider is not None}
    names = (*(provider.value for provider in CATALOG), *sorted(named))
    existing = (declared(settings, name, stored.choice(name)) for name in names)
    return {one.name: one for one in existing if one is not None}


def as_chosen(
    settings: Settings, name: ConnectionName, provider: ServingBackend, choice: ConnectionChoice
) -> Declared:
    """Return a connection to a provider as a choice would leave it.

    A named one's provider is part of the choice, so that it exists, too, in a process whose
    environment doesn't declare it.
    """
    if name not in BUILT_IN:
        choice = choice.leading_to(provider, from_env=name in settings.connections)
    after = declared(settings, name, choice)
    assert after is not None  # noqa: S101 - it is built in, or its choice declares it
    return after


def declared(settings: Settings, name: ConnectionName, choice: ConnectionChoice) -> Declared | None:
    """Return a connection as a choice would leave it; None if nothing declares it.

    The environment's word on its provider counts before the choice's.
    """
    if name in BUILT_IN:
        spec = CATALOG[ServingBackend(name)]
        return Declared(name, spec, settings.connections[name], choice, "default")
    boot = settings.connections.get(name)
    if isinstance(boot, NamedConnectionSettings):
        return Declared(name, CATALOG[boot.provider], boot, choice, "env")
    if choice.provider is not None:
        return Declared(name, CATALOG[choice.provider], _NOTHING, choice, "runtime")
    return None
