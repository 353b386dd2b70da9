"""Which options a connection can have: for a request, and for what is read from the database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from aurorasoc.config.call_options import (
    NO_OPTIONS,
    CallOptions,
    Price,
    ReasoningEffort,
    StructuredOutput,
)
from aurorasoc.config.headers import (
    MAX_HEADERS,
    MAX_VALUE,
    is_plain_value,
    wrong_name,
)
from aurorasoc.core.bodies import RequestBody
from aurorasoc.core.secret_patterns import looks_secret

MOST_TOKENS: Final = 10_000_000
MOST_SECONDS: Final = 3600.0
MOST_DOLLARS: Final = 100_000.0

_OPTION: Final = re.compile(r"[a-z][a-z_]{0,39}")
"""What an option could be called. Another name isn't repeated: it may be a key."""


def _sound_headers(value: object) -> dict[str, str]:
    """Return headers by their names in small letters.

    Checked as a whole: errors of a field's parts would name them, and a name may be a key that
    was entered in the wrong place.
    """
    if not isinstance(value, Mapping):
        msg = "must be an object of names and values"
        raise ValueError(msg)  # noqa: TRY004 - pydantic turns this into the field's error
    if len(value) > MAX_HEADERS:
        msg = f"must be {MAX_HEADERS} headers at most"
        raise ValueError(msg)
    headers: dict[str, str] = {}
    for name, text in value.items():
        lower = _sound_name(name)
        if lower in headers:
            msg = f"{lower} is there twice"
            raise ValueError(msg)
        headers[lower] = _sound_value(lower, text)
    return headers


def _sound_name(name: object) -> str:
    wrong = wrong_name(name) if isinstance(name, str) else "a header's name is text"
    if wrong is None and looks_secret(str(name)):
        wrong = "a header's name looks like a secret: store a key instead"
    if wrong is not None:
        raise ValueError(wrong)
    return str(name).lower()


def _sound_value(name: str, text: object) -> str:
    if not isinstance(text, str) or not is_plain_value(text):
        msg = f"{name} must be printable ASCII without blanks at its ends, {MAX_VALUE} at most"
        raise ValueError(msg)
    if looks_secret(text):
        msg = (
            f"the value of {name} looks like a secret, and headers aren't kept secret: nothing "
            "was stored; store a key instead"
        )
        raise ValueError(msg)
    return text


Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS, allow_inf_nan=False)]
Headers = Annotated[
    dict[str, str],
    BeforeValidator(_sound_headers),
    Field(json_schema_extra={"maxProperties": MAX_HEADERS}),
]


Dollars = Annotated[float, Field(ge=0, le=MOST_DOLLARS, allow_inf_nan=False)]


class PriceRules(RequestBody):
    """US dollars for each million tokens. Null: as the rest of the prompt."""

    model_config = ConfigDict(strict=True)

    prompt: Dollars
    completion: Dollars
    cached: Dollars | None = None
    cache_write: Dollars | None = None


class OptionRules(RequestBody):
    """What is asked of every call on a connection. Null: nothing is."""

    model_config = ConfigDict(strict=True)

    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    max_output_tokens: Annotated[int | None, Field(ge=1, le=MOST_TOKENS)] = None
    reasoning_effort: ReasoningEffort | None = None
    timeout: Annotated[
        Seconds | None, Field(description="Seconds for a whole answer, instead of LLM_TIMEOUT.")
    ] = None
    first_token_timeout: Annotated[
        Seconds | None,
        Field(description="Seconds until a stream's first token, not LLM_FIRST_TOKEN_TIMEOUT."),
    ] = None
    structured_output: StructuredOutput | None = None
    headers: Annotated[
        Headers | None, Field(description="Sent with each request. They carry no secret.")
    ] = None
    price: Annotated[
        PriceRules | None,
        Field(description="US dollars for a million tokens, instead of the bundled table."),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:  # noqa: ANN401 - whatever was sent
        """Refuse options that don't exist, by name: pydantic's own error is answered without."""
        if not isinstance(value, Mapping):
            return value
        unknown = sorted(map(str, value.keys() - cls.model_fields.keys()))
        if not unknown:
            return value
        named = [name for name in unknown[:5] if _OPTION.fullmatch(name)]
        which = f"unknown options ({', '.join(named)})" if named else "unknown options"
        msg = f"{which}; the known ones are {', '.join(cls.model_fields)}"
        raise ValueError(msg)

    def as_call_options(self) -> CallOptions:
        """Return the same as an immutable value."""
        price = None if self.price is None else Price(**self.price.model_dump())
        rest = self.model_dump(exclude={"headers", "price"})
        return CallOptions(**rest, headers=self.headers or {}, price=price)


def sound(options: CallOptions) -> CallOptions | None:
    """Return stored options; None if they aren't such as an admin can set.

    The database's running role may write rows, and an older version stored by its own rules.
    """
    if options == NO_OPTIONS:
        return NO_OPTIONS
    try:
        return OptionRules.model_validate(options.as_json()).as_call_options()
    except ValidationError:
        return None
