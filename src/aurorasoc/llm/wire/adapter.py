"""The only importer of litellm and BeeAI's adapters.

It guards their import, passes every argument explicitly, and lets none of their exceptions
out (docs/decisions/024).
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import httpx

from aurorasoc.config.settings.ambient import ambient_overrides
from aurorasoc.core.collector import collector_off
from aurorasoc.core.logs import quieten_libraries
from aurorasoc.errors import ProviderNotReady
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.calls import CallSite
from aurorasoc.llm.wire.outbound import judged_transport, verifying_context
from aurorasoc.llm.wire.whole_answer import IDENTITY, require_whole

if TYPE_CHECKING:
    from beeai_framework.backend.chat import ChatModel

_AT_IMPORT: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # its price map is not fetched
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # nor this list
    "PYTHON_DOTENV_DISABLED": "1",  # no `.env` is loaded, by litellm or by BeeAI
}

_REPETITIONS: Final = 2_000
"""Equal pieces of a stream until litellm gives up. Its own hundred is a small model's stutter."""

_OPENAI_CLIENTS: Final = frozenset({"openai", "ollama"})
"""Adapters whose calls litellm makes through the OpenAI SDK."""

_importing = threading.Lock()


async def load() -> None:
    """Import the libraries in a thread, once: 3 to 6 s that the loop need not stand still."""
    if not _loaded():
        await asyncio.to_thread(_import_libraries)


def build(site: CallSite) -> ChatModel:
    """Build the ChatModel for a reference: every argument explicit, nothing ambient.

    Raises:
        ProviderNotReady: A variable in the environment would alter its calls.
    """
    _import_libraries()
    reference = site.reference
    overrides = ambient_overrides(reference.provider)
    if overrides:
        detail = (
            f"{', '.join(overrides)} in the environment would alter calls to {reference.provider}."
        )
        raise ProviderNotReady(detail)
    arguments: dict[str, Any] = {
        "api_key": reference.reveal_key(),
        "settings": {
            "timeout": reference.limits.timeout,
            "extra_headers": {},
            "client": _client(reference, site.address_policy),
        },
    }
    if CATALOG[reference.provider].base_url_support != "none":
        arguments["base_url"] = reference.base_url
    spec = CATALOG[reference.provider]
    adapter = _guarded_class(spec.prefix, json_schema=spec.json_schema)
    model: ChatModel = adapter(reference.model, **arguments)
    model.aurora_site = site  # type: ignore[attr-defined]  # declared by the mixed-in _Boundary
    return model


async def close() -> None:
    """Close the connections that are kept open."""
    handlers = [_handler(address_policy) for address_policy in _address_policies]
    _address_policies.clear()
    _handler.cache_clear()
    for handler in handlers:
        await handler.close()
    if _loaded():
        await import_module("litellm").close_litellm_async_clients()


_address_policies: set[AddressPolicy | None] = set()


def _client(reference: ModelReference, address_policy: AddressPolicy | None) -> Any:  # noqa: ANN401 - litellm's
    """Give the client that a reference's calls go through: pooled, and deaf to redirects."""
    handler = _handler(address_policy)
    _address_policies.add(address_policy)
    if reference.prefix not in _OPENAI_CLIENTS:
        return handler
    client = import_module("openai").AsyncOpenAI(
        api_key=reference.reveal_key(),
        base_url=f"{reference.base_url}{CATALOG[reference.provider].adapter_root}",
        http_client=handler.client,
        max_retries=0,
        timeout=reference.limits.timeout,
    )
    client.organization = client.project = client.admin_api_key = None  # the environment's
    return client


@cache
def _handler(address_policy: AddressPolicy | None) -> Any:  # noqa: ANN401 - litellm's
    """Give the pooled HTTP client for one kind of connection."""
    handler = _one_try_class()(
        event_hooks={"response": [require_whole]},
        transport=judged_transport(address_policy) if address_policy is not None else None,
        ssl_verify=verifying_context(),
        follow_redirects=False,
    )
    handler.client.headers.update(IDENTITY)
    return handler


@cache
def _one_try_class() -> Any:  # noqa: ANN401 - litellm's
    """Give litellm's handler without its second try on a new client: `LLM_MAX_RETRIES` counts.

    Its new client would also close the transport under other calls that are under way.
    """
    handler = import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler

    def create_client(self: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - litellm's
        failure = sys.exception()
        if "_client" in vars(self) and isinstance(failure, httpx.TransportError):
            raise failure
        return handler.create_client(self, *args, **kwargs)

    return type("OneTryHandler", (handler,), {"create_client": create_client})


class _Boundary:
    """Mixed in before an adapter's class: every call passes its `CallSite`."""

    aurora_site: CallSite

    async def _create(self, *args: Any) -> Any:  # noqa: ANN401 - the adapter's own types
        create = super()._create  # type: ignore[misc]  # the adapter's
        return await self.aurora_site.call(lambda: create(*args))

    async def _create_stream(self, *args: Any) -> AsyncIterator[Any]:
        create = super()._create_stream  # type: ignore[misc]  # the adapter's
        async for piece in self.aurora_site.stream(lambda: create(*args)):
            yield piece


class _JsonObject:
    """Mixed in for a vendor that takes no JSON schema: the schema goes into the prompt."""

    def _transform_input(self, *args: Any) -> dict[str, Any]:
        request: dict[str, Any] = super()._transform_input(*args)  # type: ignore[misc]
        wanted = request.get("response_format")
        if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
            schema = json.dumps(wanted["json_schema"]["schema"])
            order = f"Answer with one JSON object that fits this JSON schema: {schema}"
            request["messages"] = [*request["messages"], {"role": "system", "content": order}]
            request["response_format"] = {"type": "json_object"}
        return request


@cache
def _guarded_class(prefix: str, *, json_schema: bool) -> Any:  # noqa: ANN401 - the adapter's class
    from beeai_framework.backend.utils import load_model  # noqa: PLC0415 - behind the guard

    adapter: type = load_model(prefix, "chat")
    bases = (_Boundary, adapter) if json_schema else (_Boundary, _JsonObject, adapter)
    return type(f"Guarded{adapter.__name__}", bases, {})


def _import_libraries() -> None:
    """Import once; whoever comes meanwhile waits, so that nobody imports unguarded."""
    with _importing:
        _import_guarded()


@cache
def _import_guarded() -> None:
    with _guarded_environment(), collector_off():
        litellm: Any = import_module("litellm")
        for prefix in {spec.prefix for spec in CATALOG.values()}:
            import_module(f"beeai_framework.adapters.{prefix}.backend.chat")
        # It is read at its first use, from the internet, unless that is here.
        import_module("litellm.anthropic_beta_headers_manager").get_provider_name("anthropic")
    litellm.disable_hf_tokenizer_download = True
    litellm.telemetry = False
    litellm.REPEATED_STREAMING_CHUNK_LIMIT = _REPETITIONS
    quieten_libraries()


def _loaded() -> bool:
    return _import_guarded.cache_info().currsize > 0


@contextmanager
def _guarded_environment() -> Iterator[None]:
    """Set the variables for the time of the import; a host's own `.env` loading stays."""
    before = {name: os.environ.get(name) for name in _AT_IMPORT}
    os.environ.update(_AT_IMPORT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
