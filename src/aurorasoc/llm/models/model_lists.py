"""The models that a provider lists, by its documented call; cached for a minute."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.errors import AuroraError, BadResponse, ProviderTimeout
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.failures import failure_of_answer, translate

if TYPE_CHECKING:
    import httpx

CACHE_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 10.0
MAX_BYTES: Final = 4_000_000
MAX_MODELS: Final = 2_000
MAX_NAME: Final = 255
_NO_LIST_HERE: Final = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class ModelList:
    """Names of a provider's models, in the provider's order."""

    provider: ServingBackend
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    models: ModelList
    expires: float


class ModelLists:
    """Asks providers for their models, at most once a minute for each address and key.

    Args:
        seconds: How long a provider may take, from the first byte sent to the last received.
        kept_for: How many seconds a list is cached.
    """

    def __init__(self, seconds: float = TIMEOUT_SECONDS, kept_for: float = CACHE_SECONDS) -> None:
        self._seconds, self._kept_for = seconds, kept_for
        self._kept: dict[tuple[str, str | None, str], _Kept] = {}

    async def of(
        self, reference: ModelReference, tag: str, address_policy: AddressPolicy | None
    ) -> ModelList:
        """Return a provider's models.

        Args:
            reference: Names the address and holds the key.
            tag: Tells keys apart (`Credential.tag`).
            address_policy: Which addresses may be connected to.

        Raises:
            ModelCallError: The provider failed, or its answer is not a list.
        """
        place = (str(reference.provider), reference.base_url, tag)
        now = time.monotonic()
        self._kept = {at: kept for at, kept in self._kept.items() if kept.expires > now}
        if place in self._kept:
            return self._kept[place].models
        from aurorasoc.llm.wire.transports import plain_client  # noqa: PLC0415 - httpx costs 46 ms

        async with plain_client(address_policy, self._seconds) as client:
            status, body = await self._fetch(reference, client)
        models = ModelList(reference.provider, _listed(status, body, reference))
        self._kept[place] = _Kept(models, time.monotonic() + self._kept_for)
        return models

    async def _fetch(
        self, reference: ModelReference, client: httpx.AsyncClient
    ) -> tuple[int, bytes]:
        import httpx  # noqa: PLC0415 - see `of`

        spec = CATALOG[reference.provider]
        url = f"{reference.base_url or spec.default_base_url}{spec.models_path}"
        headers = _headers(reference)
        try:
            async with (
                asyncio.timeout(self._seconds),  # httpx's own timeout restarts with every byte
                client.stream("GET", url, headers=headers) as answer,
            ):
                return answer.status_code, await _bounded(answer)
        except AuroraError:
            raise
        except (TimeoutError, httpx.TimeoutException):
            detail = f"{reference.provider} didn't list its models within {self._seconds:g} s."
            failure: AuroraError = ProviderTimeout(detail, **_names_of(reference))
        except Exception as error:  # noqa: BLE001 - httpx's exceptions hold the request, key included
            failure = translate(error, reference)
        raise failure


def _listed(status: int, body: bytes, reference: ModelReference) -> tuple[str, ...]:
    """Return the names in an answer.

    Raises:
        ModelCallError: The answer is a refusal, or not a list.
    """
    detail = f"{reference.provider} doesn't list its models at {reference.origin}."
    if status in _NO_LIST_HERE:
        raise BadResponse(detail, **_names_of(reference))
    if status != HTTPStatus.OK:
        raise failure_of_answer(status, body.decode(errors="replace"), reference)
    try:
        return _names(body)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        detail += " Its answer is not a list of models."
    raise BadResponse(detail, **_names_of(reference))


def _names_of(reference: ModelReference) -> dict[str, str]:
    return {"provider": reference.provider, "model": reference.model}


def _headers(reference: ModelReference) -> dict[str, str]:
    """Return the headers that the vendor documents for this call."""
    if not reference.has_key:
        return {}
    return CATALOG[reference.provider].headers(reference.reveal_key())


async def _bounded(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_raw():  # nothing is unpacked: a kilobyte can hold a gigabyte
        body += piece
        if len(body) > MAX_BYTES:
            return b""  # too long for a list of models
    return bytes(body)


def _names(body: bytes) -> tuple[str, ...]:
    """Read `{"data": [{"id": …}]}` or `{"models": [{"name": …}]}`, whichever it is."""
    document: Any = json.loads(body)
    rows = (document["data"] if "data" in document else document["models"]) or []
    names = [str(row.get("id") or row["name"]).removeprefix("models/") for row in rows]
    return tuple(dict.fromkeys(name[:MAX_NAME] for name in names[:MAX_MODELS]))
