"""The guarded import of BeeAI's adapters and litellm, and the models that are built with them.

It passes every argument explicitly (docs/decisions/024). What travels is `sender`'s business
(docs/decisions/036).
"""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from aurorasoc.config.settings.ambient import ambient_overrides
from aurorasoc.core.collector import collector_off
from aurorasoc.core.logs import loggers_kept
from aurorasoc.errors import ProviderNotReady
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.calls import CallSite
from aurorasoc.llm.wire.libraries import beeai_speed, litellm_table
from aurorasoc.llm.wire.libraries.clients import guard_factories
from aurorasoc.llm.wire.libraries.socket_guard import confined
from aurorasoc.llm.wire.sending.sender import close_all

if TYPE_CHECKING:
    from beeai_framework.backend.chat import ChatModel

_importing = threading.Lock()


async def load() -> None:
    """Import the libraries and read their table in a thread, once: 3 to 6 s off the loop."""
    if not _loaded():
        await asyncio.to_thread(_import_libraries)
    await litellm_table.load()  # what calls cost


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
    spec = CATALOG[reference.provider]
    arguments: dict[str, Any] = {
        "api_key": reference.reveal_key(),
        "settings": {"timeout": reference.limits.timeout, "extra_headers": {}},
    }
    if spec.base_url_support != "none":
        arguments["base_url"] = reference.base_url
    with confined():
        adapter = _class_for(spec.prefix)
        model: ChatModel = adapter(reference.model, **arguments)
    model.aurora_site = site  # type: ignore[attr-defined]  # declared by the mixed-in SentByUs
    return model


async def close() -> None:
    """Close the connections that are kept open."""
    for transport in close_all():
        await transport.aclose()


@cache
def _class_for(prefix: str) -> Any:  # noqa: ANN401 - the adapter's class
    from beeai_framework.backend.utils import load_model  # noqa: PLC0415 - behind the guard

    from aurorasoc.llm.wire.chat_model import SentByUs  # noqa: PLC0415 - the same
    from aurorasoc.llm.wire.libraries.lean_model import LeanModel  # noqa: PLC0415 - the same

    adapter: type = load_model(prefix, "chat")
    return type(f"Guarded{adapter.__name__}", (SentByUs, LeanModel, adapter), {})


def _import_libraries() -> None:
    """Import once; whoever comes meanwhile waits, so that nobody imports unguarded."""
    with _importing:
        _import_guarded()


@cache
def _import_guarded() -> None:
    with confined(), collector_off(), loggers_kept():
        litellm: Any = import_module("litellm")
        for prefix in {spec.prefix for spec in CATALOG.values()}:
            import_module(f"beeai_framework.adapters.{prefix}.backend.chat")
        import_module("aurorasoc.llm.wire.chat_model")
        import_module("aurorasoc.llm.wire.libraries.lean_model")
        # It is read at its first use, from the internet, unless that is here.
        import_module("litellm.anthropic_beta_headers_manager").get_provider_name("anthropic")
    litellm.disable_hf_tokenizer_download = True
    litellm.telemetry = litellm.modify_params = False
    guard_factories()
    beeai_speed.install()


def _loaded() -> bool:
    return _import_guarded.cache_info().currsize > 0
