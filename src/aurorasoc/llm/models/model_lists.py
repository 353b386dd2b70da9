"""The models that a provider lists, by its documented call; cached for a minute."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar, Final

from aurorasoc.config.vocabulary import ConnectionName, ServingBackend
from aurorasoc.core.bodies import DEFERRED
from aurorasoc.errors import AuroraError, BadResponse, EndpointNotFound, ProviderTimeout
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.models.list_pages import MAX_MODELS, Page, read_page
from aurorasoc.llm.wire.asking.request import question_headers
from aurorasoc.llm.wire.failures.translate import failure_of_answer, translate
from aurorasoc.llm.wire.sending.bounded import read_at_most

if TYPE_CHECKING:
    import httpx

CACHE_SECONDS: Final = 60.0
TIMEOUT_SECONDS: Final = 10.0
MAX_BYTES: Final = 4_000_000
MAX_PAGES: Final = 10
_NO_LIST_HERE: Final = frozenset({404, 405, 501})


@dataclass(frozen=True, slots=True)
class ModelList:
    """Names of the models behind a connection, in the provider's order."""

    __pydantic_config__: ClassVar = DEFERRED

    connection: ConnectionName
    provider: ServingBackend
    models: tuple[str, ...]


_Place = tuple[str, str | None, str, tuple[tuple[str, str], ...]]


@dataclass(frozen=True, slots=True)
class _Kept:
    names: tuple[str, ...]
    expires: float


class ModelLists:
    """Asks providers for their models, at most once a minute for each address, key and headers.

    Args:
        seconds: How long a provider may take, from the first byte sent to the last received.
        kept_for: How many seconds a list is cached.
    """

    def __init__(self, seconds: float = TIMEOUT_SECONDS, kept_for: float = CACHE_SECONDS) -> None:
        self._seconds, self._kept_for = seconds, kept_for
        self._kept: dict[_Place, _Kept] = {}

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
        headers = tuple(sorted(reference.options.headers.items()))
        place = (str(reference.provider), reference.base_url, tag, headers)
        now = time.monotonic()
        self._kept = {at: kept for at, kept in self._kept.items() if kept.expires > now}
        if place in self._kept:
            names = self._kept[place].names
            return ModelList(reference.connection, reference.provider, names)
        listed = await self.read(reference, address_policy)
        self._kept[place] = _Kept(listed.models, time.monotonic() + self._kept_for)
        return listed

    async def read(
        self, reference: ModelReference, address_policy: AddressPolicy | None
    ) -> ModelList:
        """Ask a provider for its models now, and keep nothing.

        Raises:
            ModelCallError: The provider failed, or its answer is not a list.
        """
        from aurorasoc.llm.wire.sending.transports import plain_client  # noqa: PLC0415 - httpx costs 46 ms

        async with plain_client(address_policy, self._seconds) as client:
            names = await self._names(reference, client)
        return ModelList(reference.connection, reference.provider, names)

    async def _names(self, reference: ModelReference, client: httpx.AsyncClient) -> tuple[str, ...]:
        """Return the names on all pages, each once."""
        spec = CATALOG[reference.provider]
        url = f"{reference.base_url or spec.default_base_url}{spec.models_path}"
        names: dict[str, None] = {}
        query, ends = None, time.monotonic() + self._seconds
        for _ in range(MAX_PAGES):
            place = url if query is None else f"{url}{'&' if '?' in url else '?'}{query}"
            status, body = await self._fetch(reference, client, place, ends - time.monotonic())
            page = _page(status, body, reference, url)
            names |= dict.fromkeys(page.names)
            query = page.next_query
            if query is None or len(names) >= MAX_MODELS:
                break
        return tuple(names)[:MAX_MODELS]

    async def _fetch(
        self, reference: ModelReference, client: httpx.AsyncClient, url: str, seconds: float
    ) -> tuple[int, bytes]:
        import httpx  # noqa: PLC0415 - see `read`

        headers = question_headers(reference)
        try:
            async with (
                asyncio.timeout(seconds),  # httpx's own timeout restarts with every byte
                client.stream("GET", url, headers=headers) as answer,
            ):
                return answer.status_code, await read_at_most(answer, MAX_BYTES) or b""
        except AuroraError:
            raise
        except (TimeoutError, httpx.TimeoutException):
            detail = f"{reference.connection} didn't list its models within {self._seconds:g} s."
            failure: AuroraError = ProviderTimeout(detail, **_names_of(reference))
        except Exception as error:  # noqa: BLE001 - httpx's exceptions hold the request, key included
            failure = translate(error, reference)
        raise failure


def _page(status: int, body: bytes, reference: ModelReference, url: str) -> Page:
    """Read one answer.

    Raises:
        ModelCallError: It is a refusal, or not a list.
    """
    detail = f"{reference.connection} doesn't list its models at {url.partition('?')[0]}."
    if status in _NO_LIST_HERE:
        raise EndpointNotFound(detail, **_names_of(reference))
    if status != HTTPStatus.OK:
        raise failure_of_answer(status, body.decode(errors="replace"), reference, url=url)
    try:
        return read_page(body)
    except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
        detail += " Its answer is not a list of models."
    raise BadResponse(detail, **_names_of(reference))


def _names_of(reference: ModelReference) -> dict[str, str]:
    return {"provider": reference.provider, "model": reference.model}
