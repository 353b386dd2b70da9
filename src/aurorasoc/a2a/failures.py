"""Errors of the protocol: their codes, and texts that repeat nothing of a request.

The SDK's own errors quote what was sent (a2a-sdk 1.3.0). So of each error only its class counts:
its code, its fixed text, and the details that the specification asks for.
"""

from __future__ import annotations

from typing import Any

from a2a.utils.error_handlers import build_error_details
from a2a.utils.errors import (
    A2A_ERROR_MAPPING,
    JSON_RPC_ERROR_CODE_MAP,
    A2AError,
    ContentTypeNotSupportedError,
    InternalError,
    InvalidParamsError,
    UnsupportedOperationError,
    VersionNotSupportedError,
)

from aurorasoc.core.logs import get_logger

log = get_logger("aurorasoc.a2a")


class FileRefused(ContentTypeNotSupportedError):
    """A part is a file, or the address of one: nothing here fetches it."""

    message = "Content type not supported: an agent takes text and JSON data. Send the file's text."


class MediaTypeRefused(ContentTypeNotSupportedError):
    """A part is declared as something that an agent doesn't take."""

    message = "Content type not supported: an agent takes text/* and application/json."


class NothingAsked(InvalidParamsError):
    """A message has no part with text or data."""

    message = "The message holds neither text nor data."


class EmptyPart(InvalidParamsError):
    """A part has no content, or one of an unknown kind."""

    message = "A part of the message holds neither text nor data."


class NotFromUser(InvalidParamsError):
    """A message isn't its sender's own."""

    message = "A client sends messages of the role user."


class TooManyParts(InvalidParamsError):
    """A message has more parts than anybody writes."""

    message = "The message has too many parts. Send less at once."


class MetadataTooLarge(InvalidParamsError):
    """Metadata is for small notes."""

    message = "The metadata is too large, or nested too deeply."


class TaskTakesNoMore(UnsupportedOperationError):
    """A message continues a task; our tasks take one message each."""

    message = (
        "This operation is not supported: a task takes one message. "
        "Send the next one without a task id, in the same context."
    )


class OtherVersion(VersionNotSupportedError):
    """A method belongs to the other version of the protocol."""

    message = "This method isn't of the version asked for. Name it in the header A2A-Version."


def protocol_error(error: Exception) -> A2AError:
    """Return the error to answer with; whatever is none of the protocol's is logged by its kind."""
    if isinstance(error, A2AError):
        log.warning("request refused", code=code_of(error))
        return error
    log.error("request failed", error=type(error).__name__)
    return InternalError()


def code_of(error: A2AError) -> int:
    """Return an error's code in JSON-RPC."""
    return JSON_RPC_ERROR_CODE_MAP[_kind_of(error)]


def text_of(error: A2AError) -> str:
    """Return the fixed text of an error's class."""
    return type(error).message


def details_of(error: A2AError) -> list[dict[str, Any]]:
    """Return an error's details, as version 1.0 has them (§9.5 and §11.6)."""
    return build_error_details(_kind_of(error)())


def http_error_of(error: A2AError) -> dict[str, Any]:
    """Return an error as the HTTP+JSON binding answers it (§11.6, AIP-193)."""
    mapping = A2A_ERROR_MAPPING.get(_kind_of(error), A2A_ERROR_MAPPING[InternalError])
    return {
        "code": mapping.http_code,
        "status": mapping.grpc_status,
        "message": text_of(error),
        "details": details_of(error),
    }


def _kind_of(error: A2AError) -> type[A2AError]:
    """Return the protocol's class of an error: ours are leaves below it."""
    kinds = (kind for kind in type(error).__mro__ if kind in JSON_RPC_ERROR_CODE_MAP)
    return next(kinds, InternalError)
