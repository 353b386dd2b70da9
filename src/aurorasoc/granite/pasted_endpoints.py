"""The base URL that somebody means who pastes a whole endpoint, as vendors' examples show it."""

from __future__ import annotations

import re
from typing import Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite.catalog import ProviderSpec
from aurorasoc.granite.known_addresses import root_at

_ENDING: Final = re.compile(
    r"/(chat/completions|completions|embeddings|responses|complete|messages(/count_tokens)?"
    r"|api/(chat|generate|tags|show|ps|version|embed|embeddings))$"
)
"""OpenAI's, Anthropic's and Ollama's calls."""

_LIST: Final = re.compile(r"(?P<root>.*/v[0-9][a-z0-9]*)/(models|health)")
"""Where models are listed. Without a version, `/models` may be a gateway's own path."""

_GEMINI: Final = re.compile(
    r"(?P<root>.*/v1(alpha|beta)?)/models/[^/:]+:"
    r"(generateContent|streamGenerateContent|countTokens)"
)
_OTHER_PROTOCOL: Final = re.compile(
    r"/api/projects/[^/]+(/openai(/v1)?)?"
    r"|/model/[^/]+/(invoke|invoke-with-response-stream|converse|converse-stream)"
)
"""At a known service's own host: a Microsoft Foundry project, Bedrock's own calls."""

_AZURE: Final = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")


def needs_api_version(host: str, path: str) -> bool:
    """Whether an address is one of Azure's that answer only with `?api-version=`."""
    return "/openai/deployments/" in path or (host.endswith(_AZURE) and path == "/models")


def base_path(spec: ProviderSpec, host: str, path: str) -> str:
    """Return the path of the base URL that a pasted address means.

    Gemini's own endpoints become the root of its OpenAI protocol
    (https://ai.google.dev/gemini-api/docs/openai). At a service's own host, what its base URL
    begins with becomes the whole of it: an Azure resource the root of its v1 API
    (https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle).

    Args:
        spec: The provider it is for.
        host: The address's host, in lower case.
        path: Its path, without a slash at the end.
    """
    while (shorter := _without_ending(spec, path)) != path:
        path = shorter
    root = root_at(host) if spec.root_path else None
    if root is None:
        return path
    begun = root.startswith(f"{path}/") or _OTHER_PROTOCOL.fullmatch(path)
    return root if begun else path


def _without_ending(spec: ProviderSpec, path: str) -> str:
    """Return a path without one ending that calls add themselves, if it has one."""
    if match := _GEMINI.fullmatch(path):
        return f"{match['root']}/openai"
    if match := _LIST.fullmatch(path):
        return match["root"]
    if path == spec.models_path and not spec.root_path:
        return ""
    if spec.provider is ServingBackend.OLLAMA and path.endswith("/api"):
        return path.removesuffix("/api")
    return _ENDING.sub("", path).removesuffix(spec.adapter_root)
