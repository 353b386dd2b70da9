"""What a provider's error says, whatever shape it has.

Vendors and the gateways in front of them write errors as objects, lists (Gemini), texts (Ollama),
pages (nginx), and nest one in another (LiteLLM's proxy, OpenRouter). Only what they say about the
failure is read: a server that validates requests repeats the request beside it, and so words that
somebody else wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aurorasoc.llm.wire.answers.outcome import word
from aurorasoc.llm.wire.answers.reading.fields import answer_among, mapping
from aurorasoc.llm.wire.answers.reading.filters import filtered
from aurorasoc.llm.wire.failures.retry_after import MAX_SECONDS

MAX_TEXT: Final = 8_000
"""Characters of all messages together."""

_MAX_PARTS: Final = 200
_MAX_DEPTH: Final = 8
_NAMES: Final = frozenset({"code", "quotaid", "reason", "status", "type"})
_SAID: Final = frozenset({"detail", "error", "message", "msg", "raw", "title"})
_WITHIN: Final = _SAID | {"details", "errors", "innererror", "metadata", "violations"}
_ECHO: Final = re.compile(
    r"""(?<![a-z_])['"]input['"]: (?!None|True|False|-?[0-9])|\binput_value="""
)
"""Where a message begins to repeat the request: in Pydantic's complaints, which vLLM sends."""

_SECONDS: Final = re.compile(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)s\s*")
_WINDOW: Final = "n_ctx"
_DELAY: Final = "retrydelay"
_PARAMETER: Final = "param"
_LOCATION: Final = "loc"
_MODEL: Final = "model"
_MAX_PLACE: Final = 200
_FILTERED: Final = frozenset({"content_filter_result", "content_filter_results"})
_REASONS: Final = "reasons"
_MOST_REASONS: Final = 3


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """A provider's error.

    Attributes:
        said: Codes, types and messages in lower case, a line each.
        statuses: HTTP statuses that it names.
        retry_after: Seconds to wait (`google.rpc.RetryInfo`); None where it doesn't say.
        context_window: The model's window in tokens (llama.cpp's `n_ctx`); likewise.
        about_model: Whether it names the request's `model` as what is wrong (OpenAI's `param`).
        places: What else of the request it names as wrong: OpenAI's `param`, Pydantic's `loc`.
        category: What a filter names as its reason (Azure, OpenRouter).
    """

    said: str = ""
    statuses: tuple[int, ...] = ()
    retry_after: float | None = None
    context_window: int | None = None
    about_model: bool = False
    places: tuple[str, ...] = ()
    category: str | None = None


def read_error(content: object) -> ErrorBody:
    """Read an error: the text of an HTTP answer, or a document inside one."""
    reader = _Reader()
    reader.read(content, 0)
    return ErrorBody(
        "\n".join(reader.lines).lower()[:MAX_TEXT],
        tuple(reader.statuses),
        reader.retry_after,
        reader.context_window,
        reader.about_model,
        tuple(reader.places),
        reader.category,
    )


def error_in(document: object) -> object | None:
    """Return the error that was answered as a success or inside an answer; None if it is none.

    LM Studio answers so for a path that it doesn't have, OpenRouter and RunPod for what failed
    behind them, and every stream for what fails in its middle. OpenRouter also says so within its
    one choice, beside half an answer.
    """
    if not isinstance(document, Mapping):
        return None
    kind = document.get("type")
    if kind == "response.failed":  # OpenAI's Responses
        return mapping(document.get("response")).get("error") or "failed"
    is_error = kind == "error" or document.get("object") == "error"
    within = answer_among(document.get("choices")).get("error")
    return document.get("error") or (document if is_error else within)


class _Reader:
    """Collects what a document says about the failure, and passes over the rest."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.statuses: list[int] = []
        self.retry_after: float | None = None
        self.context_window: int | None = None
        self.about_model = False
        self.places: list[str] = []
        self.category: str | None = None
        self._left = _MAX_PARTS

    def read(self, node: object, depth: int) -> None:
        self._left -= 1
        if self._left < 0 or depth > _MAX_DEPTH:
            return
        if isinstance(node, str):
            self._read_text(node, depth)
        elif isinstance(node, Mapping):
            for name, value in node.items():
                self._read_field(str(name).lower(), value, depth)
        elif isinstance(node, list):
            for item in node:
                self.read(item, depth + 1)

    def _read_text(self, text: str, depth: int) -> None:
        """Read a text, or the document that stands in it; a web page says nothing."""
        beginning = text.lstrip("\ufeff \t\r\n")[:1]
        if beginning in {"{", "["}:
            document = _parsed(text)
            if document is not None:
                self.read(document, depth + 1)
                return
        if beginning != "<":
            self.lines.append(_ECHO.split(text[:MAX_TEXT], 1)[0])

    def _read_field(self, name: str, value: object, depth: int) -> None:
        if name in _NAMES:
            self._read_name(value)
        if name in _SAID or (name in _WITHIN and not isinstance(value, str)):
            self.read(value, depth + 1)
        elif name == _PARAMETER:
            self.about_model |= value == _MODEL
            self.places += [value[:_MAX_PLACE]] if isinstance(value, str) else []
        elif name == _LOCATION and isinstance(value, list):
            self.places.append(".".join(map(str, value[:_MAX_DEPTH]))[:_MAX_PLACE])
        elif name in _FILTERED:
            self.category = self.category or word(filtered(value))
        elif name == _REASONS and isinstance(value, list):
            self.category = self.category or word(", ".join(filter(word, value[:_MOST_REASONS])))
        elif name == _WINDOW and type(value) is int:
            self.context_window = value
        elif name == _DELAY and isinstance(value, str) and (delay := _SECONDS.fullmatch(value)):
            self.retry_after = min(float(delay[1]), MAX_SECONDS)

    def _read_name(self, value: object) -> None:
        self.statuses += _status(value)
        if isinstance(value, str):
            self.lines.append(value[:MAX_TEXT])


def _status(value: object) -> Iterator[int]:
    """Yield the HTTP error status that a code is; LiteLLM's proxy writes it as a text."""
    digits = value if isinstance(value, str) and value.isascii() and len(value) == 3 else ""  # noqa: PLR2004 - RFC 9110 §15
    number = int(digits) if digits.isdecimal() else value
    if type(number) is int and 400 <= number <= 599:  # noqa: PLR2004 - RFC 9110 §15.5, §15.6
        yield number


def _parsed(text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(text.lstrip("\ufeff"))
    except (ValueError, RecursionError):
        return None
