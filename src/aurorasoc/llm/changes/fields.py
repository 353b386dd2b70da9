"""Fields of request bodies: names, addresses, keys and lists, and what is refused as one."""

from __future__ import annotations

from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    WithJsonSchema,
)

from aurorasoc.config.fallbacks import FALLBACKS_RULE, MAX_FALLBACKS, can_be_fallbacks
from aurorasoc.config.headers import fits_a_header
from aurorasoc.config.settings.variables import unwrap
from aurorasoc.config.vocabulary import (
    ConnectionName,
    ServingBackend,
    is_agent_name,
    lowered,
)
from aurorasoc.core.secret_patterns import is_a_vendors_key, names_a_key

MAX_KEY_LENGTH = 4096


def _clean_key(key: SecretStr) -> SecretStr:
    """Take off what wraps a key, and refuse one that doesn't fit into a header."""
    text = unwrap(key.get_secret_value())
    if not text:
        msg = "must not be empty; to remove a key, delete it"
        raise ValueError(msg)
    if len(text) > MAX_KEY_LENGTH or not fits_a_header(text):
        msg = f"must be printable ASCII without spaces, {MAX_KEY_LENGTH} characters at most"
        raise ValueError(msg)
    return SecretStr(text)


def refuse_secret(name: str) -> str:
    """Refuse a key that was entered where a name belongs: everybody sees names, and logs them."""
    if names_a_key(name):
        msg = "looks like a key, and names aren't secret"
        raise ValueError(msg)
    return name


def _no_key(model: str) -> str:
    """Refuse a key that was entered as a model: it would be shown, logged and kept for ever."""
    if is_a_vendors_key(model):
        msg = "looks like a key, and models' names aren't secret"
        raise ValueError(msg)
    return model


def as_name(text: object) -> object:
    """Return a connection's name as it is typed in small letters: `OpenAI` is `openai`.

    A key stays as it is, so that it is refused: in small letters it might be taken for a name.
    """
    return text if isinstance(text, str) and names_a_key(text) else lowered(text)


def _fallbacks(names: tuple[ConnectionName, ...]) -> tuple[ConnectionName, ...]:
    """Refuse a list that breaks the rule; whether the connections exist is known later."""
    if not can_be_fallbacks(names):
        msg = f"must be {FALLBACKS_RULE}"
        raise ValueError(msg)
    return names


def _agent_name(name: str) -> str:
    """Refuse what no agent is called, in words: pydantic's would be a pattern."""
    if not is_agent_name(name):
        msg = "must be a-z, 0-9 and -, a letter first, 64 characters at most"
        raise ValueError(msg)
    return name


Name = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=255, strip_whitespace=True, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
    AfterValidator(_no_key),
]
Connection = Annotated[
    str, BeforeValidator(as_name), StringConstraints(min_length=1, max_length=32)
]
Provider = Annotated[ServingBackend, BeforeValidator(lowered)]
AgentName = Annotated[
    str,
    AfterValidator(_agent_name),
    AfterValidator(refuse_secret),
    WithJsonSchema({"type": "string", "pattern": "^[a-z][a-z0-9-]{0,63}$"}),
]
Fallbacks = Annotated[
    tuple[Connection, ...],
    AfterValidator(_fallbacks),
    Field(
        description="Who is asked after a failure, in order.",
        json_schema_extra={"maxItems": MAX_FALLBACKS, "uniqueItems": True},
    ),
]
Address = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Key = Annotated[SecretStr, AfterValidator(_clean_key)]
