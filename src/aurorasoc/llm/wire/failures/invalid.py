"""Whether a provider says that a request isn't valid, and what of it.

Sources: OpenAI, Azure, Anthropic, DeepSeek and llama.cpp (`invalid_request_error`), Mistral
(`invalid_request_…`), Gemini (`INVALID_ARGUMENT`), vLLM (`BadRequestError`), and who validates with
Pydantic (422 and a `loc`). Nothing of the text is kept: what it names has names of ours.
"""

from __future__ import annotations

import re
from typing import Final

from aurorasoc.errors import RequestRefused
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.failures.error_bodies import ErrorBody
from aurorasoc.llm.wire.failures.refusals import names_option

_BAD_REQUEST: Final = 400
_UNPROCESSABLE: Final = 422
_CODES: Final = frozenset({"invalid_argument", "badrequesterror"})
_FAMILY: Final = "invalid_request"

_OURS: Final = (
    Refusable.TEMPERATURE,
    Refusable.MAX_TOKENS,
    Refusable.MAX_COMPLETION_TOKENS,
    Refusable.REASONING_EFFORT,
    Refusable.STREAM_OPTIONS,
)
"""Options that are sent though no caller asks: a connection's, or the wire's own."""

_FIELDS: Final = re.compile(
    r"(?P<tool_choice>\btool_?(?:choice|config)\b)"
    r"|(?P<response_format>\bresponse_?(?:format|schema|json_?schema)\b|\btext\.format\b)"
    r"|(?P<tools>\btools\b|\bfunction_declarations\b|\binput_schema\b|\bfunction_parameters\b"
    r"|schema for function)"
    r"|(?P<messages>\bmessages\b|\bcontents\b|^input\b)",
    re.MULTILINE,
)
"""What vendors call a field, by OpenAI's names for it."""


def mark_invalid(
    failure: RequestRefused, status: int, body: ErrorBody, reference: ModelReference
) -> None:
    """Note in a failure whether the provider says that the request isn't valid, and what of it.

    Args:
        failure: The failure.
        status: The HTTP status, or what an error inside an answer stands for.
        body: The error.
        reference: The model that was called.
    """
    failure.is_invalid = _says_invalid(status, body)
    if not failure.is_invalid:
        return
    text = "\n".join(body.places).lower() or body.said
    failure.options = frozenset(option.value for option in _OURS if names_option(option, text))
    if any(name.lower() in text for name in reference.options.headers):
        failure.options |= {"headers"}
    match = _FIELDS.search("\n".join(body.places).lower()) or _FIELDS.search(body.said)
    failure.field = match and match.lastgroup


def _says_invalid(status: int, body: ErrorBody) -> bool:
    if status == _UNPROCESSABLE and body.places:
        return True
    lines = body.said.split("\n")
    named = any(line in _CODES or line.startswith(_FAMILY) for line in lines)
    return named and status in {_BAD_REQUEST, _UNPROCESSABLE}
