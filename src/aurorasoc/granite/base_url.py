"""Normalise base URLs, and derive their origins.

If two parsers read one address differently, a key can reach the wrong host. An ambiguous
address is therefore refused, not repaired.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from aurorasoc.config.hosts import is_host
from aurorasoc.config.vocabulary import BUILT_IN, ConnectionName
from aurorasoc.errors import InvalidInput
from aurorasoc.granite.catalog import ProviderSpec
from aurorasoc.granite.pasted_endpoints import base_path, needs_api_version

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PLAIN = re.compile(r"[A-Za-z0-9:/._~\-\[\]]+")
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]|[^:\[\]]+)(:[0-9]{1,5})?")
_DOT_SEGMENT = re.compile(r"/\.{1,2}(/|$)")
_WITHOUT_SCHEME = re.compile(
    r"(?!https?:)"
    r"((?P<own>localhost|\[[0-9A-Fa-f:.]+\]|[0-9.]+)"
    r"|([\w-]+\.)+[A-Za-z]{2,24}|[\w.-]+(?=:))(?P<port>:[0-9]{1,5})?(/.*)?",
    re.ASCII | re.DOTALL,
)
"""A host that is unmistakable without a scheme: a name with a top-level domain, an address, or
one with a port. A bare word may be anything, a key included."""
_MAX_LENGTH: Final = 2048


def normalise_base_url(spec: ProviderSpec, text: str) -> str:
    """Return a base URL in the one form that the adapter expects.

    `https://gateway.example/v1/`, `https://gateway.example` and `gateway.example` all become
    `https://gateway.example/v1` for a provider whose API root is `/v1`; a custom path
    (`https://gateway.example/openai/v1`) is kept, a pasted endpoint
    (`https://gateway.example/v1/chat/completions`) loses its ending. Without a scheme it is HTTPS,
    except for a server of one's own on localhost, at an IP address or with a port.

    Args:
        spec: The provider it is for.
        text: The address as entered.

    Raises:
        InvalidInput: It isn't an address this provider can use. The text isn't repeated.
    """
    if spec.base_url_support == "none":
        detail = f"{spec.label} takes no base URL: leave base_url blank."
        raise InvalidInput(detail)
    text = _with_scheme(spec, text.strip())
    _refuse_dated_azure(text)
    scheme, host, port = _parts(text)
    path = base_path(spec, host, _path_of(text)) or spec.root_path
    shown_port = "" if port == _DEFAULT_PORTS[scheme] else f":{port}"
    normal = f"{scheme}://{_bracketed(host)}{shown_port}{path}"
    _refuse_dated_azure(normal)  # an ending that was taken off may have hidden it
    return normal


def called_url(spec: ProviderSpec, base_url: str) -> str:
    """Return the URL that calls go to; `{model}` stands for the model where the path names it.

    Args:
        spec: The provider.
        base_url: Its base URL, normalised.
    """
    return f"{base_url}{spec.adapter_root}{spec.call_path}"


def origin_of(text: str) -> str:
    """Return scheme, lower-case host and explicit port: `https://api.deepseek.com:443`.

    Raises:
        InvalidInput: The address is invalid or ambiguous.
    """
    scheme, host, port = _parts(text)
    return f"{scheme}://{_bracketed(host)}:{port}"


def origin_of_key(name: ConnectionName, spec: ProviderSpec, written: str | None) -> str:
    """Return the origin that a stored key belongs to: the one stored with it, else the vendor's.

    An invalid origin matches no base URL, so its key is never used. Nor is a named connection's
    key without one: the database alone says which provider such a connection leads to, and who can
    write there must not choose where a key goes.
    """
    if written is None:
        return origin_of(spec.default_base_url) if name in BUILT_IN else "no address"
    try:
        return origin_of(written)
    except InvalidInput:
        return "an address that can't be read"


def _with_scheme(spec: ProviderSpec, text: str) -> str:
    """Return an address with the scheme that it means, if it names a host without one."""
    if len(text) > _MAX_LENGTH or (match := _WITHOUT_SCHEME.fullmatch(text)) is None:
        return text
    plain = spec.may_be_local and (match["own"] or match["port"])
    return f"{'http' if plain else 'https'}://{text}"


def _path_of(text: str) -> str:
    return re.sub(r"/{2,}", "/", urlsplit(text.strip()).path).rstrip("/")


def _refuse_dated_azure(text: str) -> None:
    """Refuse Azure's dated APIs: each call needs their version, as a query."""
    try:
        split = urlsplit(text.strip())
        dated = needs_api_version(split.hostname or "", _path_of(text))
    except ValueError:
        return  # it is refused as no address
    if dated or "api-version=" in split.query.lower():
        detail = (
            "base_url must lead to Azure's v1 API, which takes no api-version: "
            "https://RESOURCE.openai.azure.com/openai/v1, with the deployment's name as the model."
        )
        raise InvalidInput(detail)


def _parts(text: str) -> tuple[str, str, int]:
    url = text.strip()
    if len(url) > _MAX_LENGTH or not _PLAIN.fullmatch(url) or _DOT_SEGMENT.search(url):
        detail = (
            "base_url must be a plain http:// or https:// address: no spaces, quotes, user "
            "names, queries, fragments, escapes, dot segments or non-ASCII characters. Write an "
            "international host name as xn--…."
        )
        raise InvalidInput(detail)
    try:
        split = urlsplit(url)
        scheme, host, port = split.scheme, split.hostname, split.port
        single = _AUTHORITY.fullmatch(split.netloc) is not None
    except ValueError:
        scheme, host, port, single = "", None, None, False
    if scheme not in _DEFAULT_PORTS or not single or not is_host(host or "") or port == 0:
        detail = "base_url must begin with http:// or https:// and name a host."
        raise InvalidInput(detail)
    return scheme, (host or "").rstrip("."), port or _DEFAULT_PORTS[scheme]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
