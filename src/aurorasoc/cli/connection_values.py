"""Compose what `aurorasoc connections set` asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from aurorasoc.config.call_options import NO_OPTIONS
from aurorasoc.config.snapshot import ConnectionConfig
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.known_addresses import KNOWN_ADDRESSES, KnownAddress

PRESETS: Final = {row.name: row for row in KNOWN_ADDRESSES}

_PLACE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
"""What may stand for a part of a host's name."""


class Unset(StrEnum):
    """What goes back to the boot default. The values are the options' names."""

    MODEL = "model"
    ORCHESTRATOR_MODEL = "orchestrator-model"
    BASE_URL = "base-url"
    MAX_TLP = "max-tlp"
    OPTIONS = "options"
    KEY = "key"

    @property
    def field(self) -> str:
        """The field of a request."""
        return "api_key" if self is Unset.KEY else self.value.replace("-", "_")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What was typed.

    Attributes:
        sent: Fields of a request that have a value.
        unset: What goes back to the boot default.
        options: Options by name; None takes one away.
        headers: Headers by name; None takes one away.
        price: Dollars for a million tokens, by what they are for; None takes one away.
    """

    sent: Mapping[str, Any]
    unset: tuple[Unset, ...] = ()
    options: Mapping[str, str | float | None] = field(default_factory=dict)
    headers: Mapping[str, str | None] = field(default_factory=dict)
    price: Mapping[str, str | float | None] = field(default_factory=dict)


def preset_values(name: str | None, places: Mapping[str, str | None]) -> dict[str, Any]:
    """Return the provider and the base URL of a known service.

    Args:
        name: Its name; None means none was chosen.
        places: What stands for the names in braces in its base URL.

    Raises:
        InvalidInput: It isn't known, or a place is missing, unknown, or no part of a host's name.
    """
    if name is None:
        if places:
            detail = "--place goes with --preset."
            raise InvalidInput(detail)
        return {}
    row = PRESETS.get(name.strip().lower())
    if row is None:
        detail = f"--preset must be one of {', '.join(PRESETS)}."
        raise InvalidInput(detail)
    return {"provider": row.provider, "base_url": _filled(row, places)}


def request_body(wishes: Wishes, present: ConnectionConfig | None) -> dict[str, Any]:
    """Return the body of a request, as REST takes it.

    Options that aren't named stay as they are.

    Raises:
        InvalidInput: Something is to be set and unset at once, there is nothing to do, a new
            connection has no provider, or headers or a price are among the options.
    """
    gone = {one.field: None for one in wishes.unset}
    both = next((one for one in wishes.unset if one.field in wishes.sent), None)
    if both is not None:
        detail = f"--unset {both} and a new value exclude each other."
        raise InvalidInput(detail)
    options = _options(wishes, present)
    body = {**gone, **wishes.sent, **options}
    if present is None:
        _require_provider(body)
        return body
    if not body:
        detail = "Nothing to change: name what to set, such as --model, or what to --unset."
        raise InvalidInput(detail)
    return {"provider": present.provider, **body}


def _options(wishes: Wishes, present: ConnectionConfig | None) -> dict[str, Any]:
    if not (wishes.options or wishes.headers or wishes.price):
        return {}
    for name, option in (("headers", "--header"), ("price", "--price")):
        if name in wishes.options:
            detail = f"--option: {name} is set with {option}."
            raise InvalidInput(detail)
    before = NO_OPTIONS if present is None or Unset.OPTIONS in wishes.unset else present.options
    options = {**before.as_json(), **wishes.options}
    options["price"] = _without_nones({**options.get("price", {}), **wishes.price})
    options["headers"] = _without_nones({**before.headers, **_lowered(wishes.headers)})
    return {"options": _without_nones(options)}


def _lowered(headers: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name.lower(): value for name, value in headers.items()}


def _without_nones(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, {})}


def _require_provider(body: Mapping[str, Any]) -> None:
    if "provider" not in body:
        known = ", ".join(ServingBackend)
        detail = (
            f"There is no such connection. To make it, name its --provider ({known}) or a --preset."
        )
        raise InvalidInput(detail)


def _filled(row: KnownAddress, places: Mapping[str, str | None]) -> str:
    unknown = places.keys() - set(row.placeholders)
    if unknown:
        takes = ", ".join(row.placeholders) or "no place"
        detail = f"--place: the address of {row.name} has {takes}."
        raise InvalidInput(detail)
    for name in row.placeholders:
        if not _PLACE.fullmatch(places.get(name) or ""):
            detail = f"--place {name}=… is needed: a part of {row.base_url}."
            raise InvalidInput(detail)
    return row.base_url.format_map(places)
