"""In a model call LiteLLM, the vendor's SDK and aiohttp make no client of their own."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import aiohttp
import openai
import pytest

from aurorasoc.llm.wire.libraries.socket_guard import UnjudgedConnection, confined


def _litellms(factory: str, **arguments: object) -> Callable[[], object]:
    """Return a call of a factory of LiteLLM's, which is imported when it is made."""

    def make() -> object:
        handlers: Any = import_module("litellm.llms.custom_httpx.http_handler")
        return getattr(handlers, factory)(**arguments)

    return make


AZURE: Final[dict[str, Any]] = {
    "api_key": "k",
    "api_version": "1",
    "azure_endpoint": "http://127.0.0.1:1",
}
FACTORIES: Final[dict[str, Callable[[], object]]] = {
    "aiohttp": aiohttp.ClientSession,
    "handler": _litellms("AsyncHTTPHandler"),
    "handler, sync": _litellms("HTTPHandler"),
    "cached": _litellms("get_async_httpx_client", llm_provider="x", params={"timeout": 17}),
    "cached, sync": _litellms("_get_httpx_client", params={"timeout": 17}),
    "openai": lambda: openai.AsyncOpenAI(api_key="k"),
    "openai, sync": lambda: openai.OpenAI(api_key="k"),
    "azure": lambda: openai.AsyncAzureOpenAI(**AZURE),
    "azure, sync": lambda: openai.AzureOpenAI(**AZURE),
}


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
async def test_no_client_is_made_in_a_call(make: Callable[[], object]) -> None:
    """Neither a new one nor one that a cache would keep."""
    with pytest.raises(UnjudgedConnection), confined():
        make()


@pytest.mark.usefixtures("libraries")
@pytest.mark.parametrize("name", ["handler", "openai", "openai, sync"])
async def test_outside_of_calls_they_are_made(name: str) -> None:
    """A host that uses these libraries for itself can do so."""
    client: Any = FACTORIES[name]()
    closed = client.close()
    if closed is not None:
        await closed
