"""What the model libraries see of the environment: what is honoured, and nothing else.

They consult more than a thousand variables, at their import and in calls, and each version adds
some. So they are given an environment of their own: while library code runs, `os.environ` holds
the variables below. What it writes there stays there (docs/decisions/037).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any, Final

_PROXIES: Final = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
HONOURED: Final = frozenset(
    {
        *_PROXIES,
        *(name.lower() for name in _PROXIES),
        "REQUEST_METHOD",  # beside it Python ignores HTTP_PROXY: it may be a request's header
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
    }
)
"""Variables that a site sets for model calls: documented, and read alike by us and by httpx."""

_own: Final = {
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",  # the list isn't fetched
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nor its price map
    "PYTHON_DOTENV_DISABLED": "1",  # no `.env` is loaded, by litellm or by BeeAI
}
"""What is set in their environment, whatever the process's holds; their own words come to it."""


def install(confined: Callable[[], bool]) -> None:
    """Put that environment in place of the process's own. Call once.

    Args:
        confined: Whether library code runs, in the present context.
    """
    for name, private in _PRIVATE.items():
        setattr(type(os.environ), name, _choosing(name, private, confined))


def _choosing(
    name: str, private: Callable[..., Any], confined: Callable[[], bool]
) -> Callable[..., Any]:
    real = getattr(type(os.environ), name)

    def choose(environ: object, *args: object) -> Any:  # noqa: ANN401 - of any of the methods
        if confined() and environ is os.environ:
            return private(real, *args)
        return real(environ, *args)

    return choose


def _get(real: Callable[..., str], name: str) -> str:
    return real(os.environ, name) if name in HONOURED else _own[name]


def _iterate(real: Callable[..., Iterator[str]]) -> Iterator[str]:
    honoured = (name for name in real(os.environ) if name in HONOURED)
    return iter([*honoured, *_own])


def _count(_: object) -> int:
    return sum(1 for _ in os.environ)


def _show(_: object) -> str:
    return f"environ({dict(os.environ)!r})"


def _set(_: object, name: str, value: str) -> None:
    _own[name] = value


def _delete(_: object, name: str) -> None:
    del _own[name]


_PRIVATE: Final[dict[str, Callable[..., Any]]] = {
    "__delitem__": _delete,
    "__getitem__": _get,
    "__iter__": _iterate,
    "__len__": _count,
    "__repr__": _show,
    "__setitem__": _set,
}
