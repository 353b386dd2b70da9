"""In a model call the libraries make no client of their own (docs/decisions/037).

The socket guard stops what such a client would open. This stops it earlier, where the stack
still says which code wanted one.
"""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import Any, Final

from aurorasoc.llm.wire.libraries.socket_guard import refuse_in_call

_FACTORIES: Final = (
    ("aiohttp", "ClientSession"),
    ("litellm.llms.custom_httpx.http_handler", "AsyncHTTPHandler"),
    ("litellm.llms.custom_httpx.http_handler", "HTTPHandler"),
    ("openai._base_client", "AsyncAPIClient"),  # under AsyncOpenAI, and Azure's
    ("openai._base_client", "SyncAPIClient"),
)
"""Every client of theirs is made by one of these; cached ones were made by them as well."""


def guard_factories() -> None:
    """Make the clients' constructors refuse in a model call. Call once, after the import."""
    for module, name in _FACTORIES:
        factory: Any = getattr(import_module(module), name)
        factory.__init__ = _refusing(factory.__init__, f"{module.partition('.')[0]}.{name}")


def _refusing(init: Any, name: str) -> Any:  # noqa: ANN401 - a constructor of theirs
    @wraps(init)
    def refusing(self: object, *args: Any, **kwargs: Any) -> None:
        refuse_in_call(name)
        init(self, *args, **kwargs)

    return refusing
