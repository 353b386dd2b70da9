"""One module for each vendor's wire format; importing one imports litellm."""

from __future__ import annotations

from typing import Final

from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.logs import get_logger
from aurorasoc.errors import AuroraError, RequestRefused
from aurorasoc.granite import ModelReference
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.wire.asking.request import ModelRequest
from aurorasoc.llm.wire.formats.chat_completions import ChatCompletions
from aurorasoc.llm.wire.formats.generate_content import GenerateContent
from aurorasoc.llm.wire.formats.messages import Messages
from aurorasoc.llm.wire.formats.responses import Responses
from aurorasoc.llm.wire.formats.translation import Translation
from aurorasoc.llm.wire.libraries.litellm_table import answers_on_responses

log = get_logger("aurorasoc.calls")

_BY_WIRE: Final[dict[str, type[Translation]]] = {
    "chat_completions": ChatCompletions,
    "messages": Messages,
    "generate_content": GenerateContent,
}


def translation(request: ModelRequest) -> Translation:
    """Translate a call into its vendor's format.

    Raises:
        RequestRefused: It can't be, as with a schema that is none. That is no failure of the
            vendor: it was never asked, and others' calls must still be.
    """
    reference = request.reference
    try:
        return format_of(reference)(request)
    except AuroraError:
        raise
    except Exception as error:  # noqa: BLE001 - LiteLLM's translators raise anything
        log.warning("untranslatable", connection=reference.connection, error=type(error).__name__)
    detail = (
        f"What the call holds can't be said in the format of {reference.connection}. Check its "
        "schemas, tools and messages."
    )
    failure = RequestRefused(detail, provider=reference.connection, model=reference.model)
    failure.may_have_cost = False
    failure.is_invalid = True
    raise failure


def format_of(reference: ModelReference) -> type[Translation]:
    """Return the format of a connection: by its provider, and by the table for OpenAI's own."""
    if reference.provider is ServingBackend.OPENAI and answers_on_responses(reference.model):
        return Responses
    return _BY_WIRE[CATALOG[reference.provider].wire]
