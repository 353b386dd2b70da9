"""Addresses of services that speak OpenAI's protocol: presets for a new connection.

The settings page and `docs/providers.md` show these rows. The service itself treats all servers of
one provider alike, but for two things: a pasted address is completed from here
(`pasted_endpoints`), and a vendor's models are found in LiteLLM's table by it (`table_at`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from aurorasoc.config.vocabulary import ServingBackend

_PLACEHOLDER: Final = re.compile(r"\{([a-z]+)\}")


@dataclass(frozen=True, slots=True)
class KnownAddress:
    """A service, and what to enter for it.

    Attributes:
        name: Proposed name of the connection.
        label: The service's name as its vendor writes it.
        provider: The provider to use it as. Only servers of one's own are vLLM: what counts as
            local must not pass data on.
        base_url: Its base URL; names in braces are filled in by whoever adds the connection.
        key: Which key it takes, and what that looks like.
        key_page: Where a key is made; None where the server's own operator makes it.
        model: A model's name, as an example.
        docs: The vendor's documentation.
        peculiar: What to know first, in one sentence.
        hosts: Host names that belong to it alone, with `*` for any part.
        table: Its name in LiteLLM's bundled table of models. None: the table can't describe what
            answers there. A deployment is named by its owner, a router's and a proxy's models are
            other companies', and Bedrock's prices differ by region.
    """

    name: str
    label: str
    provider: ServingBackend
    base_url: str
    key: str
    key_page: str | None
    model: str
    docs: str
    peculiar: str
    hosts: tuple[str, ...] = ()
    table: str | None = None

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names in the base URL that are to be filled in."""
        return tuple(_PLACEHOLDER.findall(self.base_url))

    @property
    def root(self) -> str:
        """The path of its base URL."""
        return urlsplit(self.base_url).path


KNOWN_ADDRESSES: Final = (
    KnownAddress(
        "azure",
        "Azure OpenAI",
        ServingBackend.OPENAI,
        "https://{resource}.openai.azure.com/openai/v1",
        "a key of the resource",
        "https://portal.azure.com",
        "gpt-4o-soc",
        "https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle",
        "The model is the deployment's name; the list of models names base models instead.",
        ("*.openai.azure.com", "*.services.ai.azure.com", "*.cognitiveservices.azure.com"),
    ),
    KnownAddress(
        "bedrock",
        "Amazon Bedrock",
        ServingBackend.OPENAI,
        "https://bedrock-runtime.{region}.amazonaws.com/openai/v1",
        "an Amazon Bedrock API key (`ABSK…`)",
        "https://console.aws.amazon.com/bedrock/home#/api-keys",
        "openai.gpt-oss-120b-1:0",
        "https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html",
        "Only some models answer here, and no list of them is documented: enter the name by hand.",
        ("bedrock-runtime.*.amazonaws.com",),
    ),
    KnownAddress(
        "mistral",
        "Mistral",
        ServingBackend.OPENAI,
        "https://api.mistral.ai/v1",
        "an API key",
        "https://console.mistral.ai/api-keys",
        "mistral-large-latest",
        "https://docs.mistral.ai/api",
        "It refuses options that it doesn't know, and tool call ids of another form than its own.",
        ("api.mistral.ai",),
        "mistral",
    ),
    KnownAddress(
        "groq",
        "Groq",
        ServingBackend.OPENAI,
        "https://api.groq.com/openai/v1",
        "an API key (`gsk_…`)",
        "https://console.groq.com/keys",
        "openai/gpt-oss-120b",
        "https://console.groq.com/docs/openai",
        "It checks JSON and tool calls itself, and answers 400 when the model got them wrong.",
        ("api.groq.com",),
        "groq",
    ),
    KnownAddress(
        "openrouter",
        "OpenRouter",
        ServingBackend.OPENAI,
        "https://openrouter.ai/api/v1",
        "an API key (`sk-or-…`)",
        "https://openrouter.ai/settings/keys",
        "openai/gpt-oss-120b",
        "https://openrouter.ai/docs/api/reference/errors-and-debugging",
        "It passes prompts on to other companies; their failures come inside answers.",
        ("openrouter.ai",),
    ),
    KnownAddress(
        "together",
        "Together",
        ServingBackend.OPENAI,
        "https://api.together.ai/v1",
        "an API key",
        "https://api.together.ai/settings/api-keys",
        "openai/gpt-oss-120b",
        "https://docs.together.ai/docs/inference/openai-compatibility",
        "The list of models also holds models for images, speech and embeddings.",
        ("api.together.ai", "api.together.xyz"),
        "together_ai",
    ),
    KnownAddress(
        "lm-studio",
        "LM Studio",
        ServingBackend.VLLM,
        "http://localhost:1234/v1",
        "none, unless its server requires API tokens",
        None,
        "openai/gpt-oss-20b",
        "https://lmstudio.ai/docs/developer/openai-compat",
        "It loads a model at the first call for it: raise `LLM_FIRST_TOKEN_TIMEOUT` for that.",
    ),
    KnownAddress(
        "llama-cpp",
        "llama.cpp",
        ServingBackend.VLLM,
        "http://localhost:8080/v1",
        "none, unless it was started with `--api-key`",
        None,
        "gpt-oss-20b",
        "https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        "A server with one model answers to any name; `--ctx-size` sets the context window.",
    ),
    KnownAddress(
        "litellm",
        "LiteLLM proxy",
        ServingBackend.OPENAI,
        "http://{host}:4000/v1",
        "a virtual key of the proxy (`sk-…`)",
        None,
        "gpt-4o",
        "https://docs.litellm.ai/docs/proxy/virtual_keys",
        "Use it as `openai` even on your own network: it may pass prompts on to hosted vendors.",
    ),
    KnownAddress(
        "hugging-face",
        "Hugging Face router",
        ServingBackend.OPENAI,
        "https://router.huggingface.co/v1",
        "a token (`hf_…`) that may make calls to Inference Providers",
        "https://huggingface.co/settings/tokens",
        "openai/gpt-oss-120b:groq",
        "https://huggingface.co/docs/inference-providers/index",
        "It passes prompts on to other companies; `model:company` chooses which.",
        ("router.huggingface.co",),
    ),
)
"""In the order in which they are shown."""


def root_at(host: str) -> str | None:
    """Return the path of the base URL at a host that belongs to one of these services.

    Args:
        host: A host name in lower case.
    """
    row = _row_at(host)
    return None if row is None else row.root


@lru_cache(maxsize=64)
def table_at(origin: str) -> str | None:
    """Return the name that LiteLLM's table has for the vendor at an origin; None: it has none.

    Args:
        origin: Scheme, host and port, as `origin_of` writes them.
    """
    address = urlsplit(origin)
    row = _row_at(address.hostname or "")
    return None if row is None or address.scheme != "https" else row.table


def _row_at(host: str) -> KnownAddress | None:
    for row in KNOWN_ADDRESSES:
        if any(fnmatchcase(host, pattern) for pattern in row.hosts):
            return row
    return None
