"""Ask a server for its context window, in the way that its kind documents.

| Server | Where | Source |
|---|---|---|
| vLLM, SGLang | `max_model_len` in `/v1/models` | docs.vllm.ai, OpenAI-compatible server |
| llama.cpp | `meta.n_ctx` in `/v1/models`, else `n_ctx` in `/props` | tools/server/README.md |
| Ollama | `context_length` in `/api/ps`, else `num_ctx` in `/api/show` | its docs/api.md |
| TGI | `max_total_tokens` in `/info` | its OpenAPI |
| LM Studio | `loaded_context_length` in `/api/v0/models` | lmstudio.ai/docs, REST API v0 |
| LiteLLM's proxy | `max_input_tokens` in `/model/info` | docs.litellm.ai, Model Info |
| Gemini, Anthropic, Mistral, OpenRouter, Groq | the list of models | their API references |
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.inbound.bodies import count_parts
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError
from aurorasoc.granite import ModelReference
from aurorasoc.granite.address_policy import AddressPolicy
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.request import question_headers
from aurorasoc.llm.wire.sending.bounded import read_at_most

if TYPE_CHECKING:
    import httpx

log = get_logger("aurorasoc.wire")

SECONDS: Final = 3.0
"""For all questions to one server together."""
MAX_BYTES: Final = 4_000_000
MAX_PARTS: Final = 50_000
OLLAMA_LEAST: Final = 4_096
"""What Ollama serves with less than 24 GiB of video memory, unless it is told otherwise."""

_FIELDS: Final = (
    "max_model_len",
    "loaded_context_length",
    "context_length",
    "context_window",
    "max_context_length",
    "max_total_tokens",
    "max_input_tokens",
    "inputTokenLimit",
    "n_ctx",
)
"""What servers call the window, the one in force before the one that a model was trained for."""

_LLAMA_CPP: Final = "llamacpp"
_NUM_CTX: Final = re.compile(r"^num_ctx\s+([0-9]{1,9})\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """A window, and whether it is only the least that this kind of server has."""

    tokens: int
    assumed: bool = False


async def ask_server(
    reference: ModelReference, address_policy: AddressPolicy | None
) -> WindowAnswer | None:
    """Return the window that a server names; None if it names none, or can't be asked.

    Args:
        reference: The model, its address and its key.
        address_policy: Which addresses may be connected to; None: the configuration is trusted.
    """
    from aurorasoc.llm.wire.sending.transports import plain_client  # noqa: PLC0415 - httpx costs 46 ms

    with suppress(TimeoutError):
        async with (
            asyncio.timeout(SECONDS),
            plain_client(address_policy, SECONDS) as client,
        ):
            server = _Server(reference, client)
            if reference.provider is ServingBackend.OLLAMA:
                return await server.ollama()
            return await server.listed()
    return None


class _Server:
    """One server, and what may be asked of it with one client."""

    def __init__(self, reference: ModelReference, client: httpx.AsyncClient) -> None:
        self._reference, self._client = reference, client
        spec = CATALOG[reference.provider]
        self._base = reference.base_url or spec.default_base_url
        self._list = spec.models_path
        self._headers = question_headers(reference)

    async def ollama(self) -> WindowAnswer | None:
        """Ask an Ollama: a loaded model has a window; another may have one in its Modelfile."""
        loaded = await self._json("GET", f"{self._base}/api/ps")
        if not isinstance(loaded, Mapping) or not isinstance(loaded.get("models"), list):
            return None
        tokens = _number_in(_row(loaded["models"], self._reference.model) or {})
        if tokens is not None:
            return WindowAnswer(tokens)
        shown = await self._json("POST", f"{self._base}/api/show", {"model": self._reference.model})
        parameters = shown.get("parameters") if isinstance(shown, Mapping) else None
        match = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
        return WindowAnswer(int(match[1])) if match else WindowAnswer(OLLAMA_LEAST, assumed=True)

    async def listed(self) -> WindowAnswer | None:
        """Ask a server of OpenAI's protocol: its list of models, then what its kind has beside."""
        rows = _rows(await self._json("GET", f"{self._base}{self._list}"))
        row = _row(rows, self._model) or _only_one_of_llama_cpp(rows)
        tokens = _number_in(row or {})
        root = self._base.removesuffix("/v1")
        for path in () if tokens is not None or row is None else self._beside(row):
            document = await self._json("GET", f"{root}{path}")
            rows = _rows(document)
            tokens = _number_in(_row(rows, self._model) or {}) if rows else _number_in(document)
            if tokens is not None:
                break
        return None if tokens is None else WindowAnswer(tokens)

    @property
    def _model(self) -> str:
        return self._reference.model

    def _beside(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """Return where else this kind of server says it; hosted vendors have nothing else."""
        if self._reference.provider not in {ServingBackend.VLLM, ServingBackend.OPENAI}:
            return ()
        if row.get("owned_by") == _LLAMA_CPP:
            return ("/props",)
        return ("/info", "/model/info", "/api/v0/models")

    async def _json(self, method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON
        """Return what a server answers; None for whatever isn't a JSON document of bounded size."""
        import httpx  # noqa: PLC0415 - as in `ask_server`

        try:
            async with self._client.stream(
                method, url, headers=self._headers, json=body
            ) as response:
                if response.status_code != HTTPStatus.OK:
                    return None
                data = await read_at_most(response, MAX_BYTES) or b""
            return None if count_parts(data, MAX_PARTS) > MAX_PARTS else json.loads(data)
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            AuroraError,
            ValueError,
            RecursionError,
        ) as error:
            log.info("a server's context window is unknown", why=type(error).__name__)
            return None


def _rows(document: object) -> list[Any]:
    """Return a list of models: bare, or under `data` or `models`."""
    if isinstance(document, Mapping):
        document = document.get("data") or document.get("models")
    return document if isinstance(document, list) else []


def _row(rows: list[Any], model: str) -> Mapping[str, Any] | None:
    """Return the row of a model; Ollama adds `:latest` to a name without a tag."""
    names = {model, f"{model}:latest", f"models/{model}"}
    for row in rows:
        if not isinstance(row, Mapping):
            continue
        called = [row.get(key) for key in ("id", "name", "model", "model_name")]
        if any(isinstance(name, str) and name in names for name in called):
            return row
    return None


def _only_one_of_llama_cpp(rows: list[Any]) -> Mapping[str, Any] | None:
    """Return llama.cpp's one model: it answers to any name."""
    row = rows[0] if len(rows) == 1 else None
    return row if isinstance(row, Mapping) and row.get("owned_by") == _LLAMA_CPP else None


def _number_in(document: object) -> int | None:
    """Return the window that a row or a document names, itself or one level down."""
    for holder in _holders(document):
        for field in _FIELDS:
            number = holder.get(field)
            if isinstance(number, int) and not isinstance(number, bool) and number > 0:
                return number
    return None


def _holders(document: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(document, Mapping):
        yield document
        for name in ("meta", "model_info", "default_generation_settings"):
            inner = document.get(name)
            if isinstance(inner, Mapping):
                yield inner
