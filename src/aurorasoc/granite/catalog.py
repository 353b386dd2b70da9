"""The providers: one row each. A new provider is one row here and one class of settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from aurorasoc.config.vocabulary import LOCAL_BACKENDS, ServingBackend

_CALL_PATHS: Final = {
    "chat_completions": "/chat/completions",
    "messages": "/messages",
    "generate_content": "/v1beta/models/{model}:generateContent",
}


@dataclass(frozen=True, slots=True)
class ProviderSpec:
    """A provider's fixed facts, independent of its configuration.

    Attributes:
        prefix: BeeAI's adapter name.
        wire: The vendor's wire format for calls, whatever the model is called.
        label: The provider's name as its vendor writes it.
        variables: Prefix of its environment variables.
        key: Whether it takes a key: `required`, `optional` or `none`.
        base_url_support: Whether it takes a base URL.
        default_base_url: The base URL when none is configured.
        default_model: The specialist model when none is configured.
        default_orchestrator_model: None means the specialist model.
        root_path: The path that the adapter expects where a base URL has none.
        adapter_root: The path that the adapter appends itself; removed from a base URL's end.
        json_schema: Whether it takes a JSON schema as response format, or only plain JSON mode.
        models_path: Where the provider lists its models, below the base URL.
        key_header: The header that carries the key.
        fixed_headers: Other headers that the vendor requires.
        answer_limit: Tokens of an answer to which nobody set a limit, where the server's own
            default is none: a model that repeats itself would never end.
        best_for: One line for the inventory.
    """

    provider: ServingBackend
    prefix: str
    label: str
    variables: str
    key: Literal["required", "optional", "none"]
    base_url_support: Literal["none", "optional", "required"]
    default_base_url: str
    default_model: str
    best_for: str
    default_orchestrator_model: str | None = None
    json_schema: bool = True
    models_path: str = "/models"
    key_header: str = "Authorization"
    fixed_headers: tuple[tuple[str, str], ...] = ()
    root_path: str = ""
    adapter_root: str = ""
    answer_limit: int | None = None
    wire: Literal["chat_completions", "messages", "generate_content"] = "chat_completions"

    @property
    def call_path(self) -> str:
        """The path of a call below the base URL and what the adapter appends."""
        return _CALL_PATHS[self.wire]

    @property
    def may_be_local(self) -> bool:
        """Whether its calls can stay on the site's own networks."""
        return self.provider in LOCAL_BACKENDS

    @property
    def needs_key(self) -> bool:
        """Whether calls fail without a key."""
        return self.key == "required"

    def headers(self, key: str) -> dict[str, str]:
        """Return the headers that the vendor requires, with a key in its place."""
        bearer = self.key_header == "Authorization"
        return {self.key_header: f"Bearer {key}" if bearer else key, **dict(self.fixed_headers)}

    def variable(self, field: str) -> str:
        """Name the environment variable of a field, e.g. `LLM_DEEPSEEK_MODEL`."""
        return f"{self.variables}{field.upper()}"


_ROWS: Final = (
    ProviderSpec(
        ServingBackend.OLLAMA,
        prefix="ollama",
        label="Ollama",
        variables="LLM_OLLAMA_",
        key="none",
        base_url_support="required",
        default_base_url="http://localhost:11434",
        default_model="granite4:8b",
        default_orchestrator_model="granite4:dense",
        models_path="/api/tags",
        adapter_root="/v1",
        answer_limit=16_384,
        best_for="local inference on a workstation or a small server",
    ),
    ProviderSpec(
        ServingBackend.VLLM,
        prefix="openai",
        label="vLLM",
        variables="LLM_VLLM_",
        key="optional",
        base_url_support="required",
        default_base_url="http://localhost:8000/v1",
        default_model="granite-soc-specialist",
        root_path="/v1",
        best_for="local inference on GPUs, for restricted data",
    ),
    ProviderSpec(
        ServingBackend.OPENAI,
        prefix="openai",
        label="OpenAI or compatible",
        variables="LLM_OPENAI_COMPATIBLE_",
        key="required",
        base_url_support="optional",
        default_base_url="https://api.openai.com/v1",
        default_model="gpt-4o",
        root_path="/v1",
        best_for="OpenAI, and gateways that speak its protocol",
    ),
    ProviderSpec(
        ServingBackend.DEEPSEEK,
        prefix="deepseek",
        label="DeepSeek",
        variables="LLM_DEEPSEEK_",
        key="required",
        base_url_support="optional",
        default_base_url="https://api.deepseek.com",
        default_model="deepseek-v4-flash",
        default_orchestrator_model="deepseek-v4-pro",
        json_schema=False,
        best_for="low-cost hosted reasoning",
    ),
    ProviderSpec(
        ServingBackend.GEMINI,
        prefix="gemini",
        wire="generate_content",
        label="Gemini",
        variables="LLM_GEMINI_",
        key="required",
        base_url_support="none",
        default_base_url="https://generativelanguage.googleapis.com",
        default_model="gemini-2.5-pro",
        models_path="/v1beta/models?pageSize=1000",
        key_header="x-goog-api-key",
        best_for="long context: large logs and many documents at once",
    ),
    ProviderSpec(
        ServingBackend.ANTHROPIC,
        prefix="anthropic",
        wire="messages",
        label="Anthropic",
        variables="LLM_ANTHROPIC_",
        key="required",
        base_url_support="optional",
        default_base_url="https://api.anthropic.com",
        default_model="claude-sonnet-4-6",
        models_path="/v1/models?limit=1000",
        key_header="x-api-key",
        fixed_headers=(("anthropic-version", "2023-06-01"),),
        adapter_root="/v1",
        best_for="careful reasoning and tool use",
    ),
)

CATALOG: Final = {row.provider: row for row in _ROWS}
"""Every provider, by name."""
