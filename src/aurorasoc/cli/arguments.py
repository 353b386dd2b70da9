"""Check arguments by the rules of the REST bodies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from aurorasoc.config.validation import rule_of
from aurorasoc.errors import InvalidInput

T = TypeVar("T")

Provider = Annotated[str, typer.Argument(help="A connection: a built-in one, or a named one")]


def checked(build: Callable[[], T]) -> T:
    """Validate arguments by the rules of the REST bodies; never repeat a value."""
    try:
        return build()
    except ValidationError as error:
        issues = error.errors(include_input=False, include_url=False, include_context=False)
    field = str(issues[0]["loc"][0])
    expected = ", or ".join(rule_of(i["msg"]) for i in issues if i["loc"][0] == field)
    rules = expected.replace("Input should be", "must be", 1).replace("Input should be ", "")
    detail = f"{field}: {rules}."
    raise InvalidInput(detail)
