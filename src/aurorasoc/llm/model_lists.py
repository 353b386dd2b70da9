"""The models that a provider itself lists, by its own documented call; kept for a minute."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import httpx

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import AuroraError
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.failures import failure_of_status, translate
from aurorasoc.llm.outbound import plain_client

CACHE_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 10.0
MAX_BYTES: Final = 4_000_000
MAX_MODELS: Final = 2_000
MAX_NAME: Final = 255


@dataclass(frozen=True, slots=True)
class ModelList:
    """What a provider lists, by name, in its own order."""

    provider: ServingBackend
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    found: ModelList
    expires: float


class ModelLists:
    """Asks providers for their models, at most once a minute for each address and key."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, str], _Kept] = {}

    async def of(
        self, reference: ModelReference, tag: str, reach: AddressPolicy | None
    ) -> ModelList:
        """Give a provider's models.

        Args:
            reference: Names the address and holds the key.
            tag: Tells keys apart (`Credential.tag`).
            reach: Which addresses may be connected to.

        Raises:
            ModelCallError: The provider failed, or answered something else than a list.
        """
        place = (str(reference.provider), reference.origin, tag)
        kept = self._kept.get(place)
        if kept is not None and kept.expires > time.monotonic():
            return kept.found
        async with plain_client(reach, TIMEOUT_SECONDS) as client:
            found = await _fetch(reference, client)
        self._kept[place] = _Kept(found, time.monotonic() + CACHE_SECONDS)
        return found


async def _fetch(reference: ModelReference, client: httpx.AsyncClient) -> ModelList:
    spec = CATALOG[reference.provider]
    url = f"{reference.base_url or spec.default_base_url}{spec.models_path}"
    try:
        async with client.stream("GET", url, headers=_headers(reference)) as answer:
            _require_ok(answer, reference)
            body = await _bounded(answer)
        names = _names(body)
    except AuroraError:
        raise
    except Exception as error:  # noqa: BLE001 - httpx's exceptions hold the request, key included
        failure = translate(error, reference)
    else:
        return ModelList(reference.provider, names)
    raise failure


def _require_ok(answer: httpx.Response, reference: ModelReference) -> None:
    if answer.status_code != httpx.codes.OK:
        raise failure_of_status(answer.status_code, reference)


def _headers(reference: ModelReference) -> dict[str, str]:
    """Give the headers that the vendor documents for this call."""
    spec = CATALOG[reference.provider]
    if not reference.has_key:
        return {}
    key = reference.reveal_key()
    value = f"Bearer {key}" if spec.key_header == "Authorization" else key
    return {spec.key_header: value, **dict(spec.fixed_headers)}


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MAX_BYTES:
            msg = "too long"
            raise ValueError(msg)
    return bytes(body)


def _names(body: bytes) -> tuple[str, ...]:
    """Read `{"data": [{"id": …}]}` or `{"models": [{"name": …}]}`, whichever it is."""
    document: Any = httpx.Response(200, content=body).json()
    rows = document.get("data") or document.get("models") or []
    names = [str(row.get("id") or row["name"]).removeprefix("models/") for row in rows]
    return tuple(dict.fromkeys(name[:MAX_NAME] for name in names[:MAX_MODELS]))
