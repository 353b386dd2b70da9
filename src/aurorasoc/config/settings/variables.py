"""What shells, files and orchestrators add to a value on its way into a variable."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from pydantic import model_validator
from pydantic_settings import BaseSettings

_BYTE_ORDER_MARK: Final = "\ufeff"


class Variables(BaseSettings):
    """A group of variables.

    Attributes:
        as_they_are: Variables that are taken unchanged: seeds, which other programs read, too.
    """

    as_they_are: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_wrapping(cls, values: dict[str, Any]) -> dict[str, Any]:
        unwrapped = {
            name: unwrap(value) if isinstance(value, str) and name not in cls.as_they_are else value
            for name, value in values.items()
        }
        if cls.model_config.get("env_ignore_empty"):
            return {name: value for name, value in unwrapped.items() if value != ""}
        return unwrapped


def unwrap(text: str) -> str:
    """Return a value without what isn't part of it.

    That is a byte order mark and the line end of the file that it was read from, blanks, and the
    quotation marks that `docker run --env-file` and Kubernetes keep and shells take away.
    """
    inner = text.removeprefix(_BYTE_ORDER_MARK).strip()
    if len(inner) > 1 and inner[0] == inner[-1] and inner[0] in "\"'":
        return inner[1:-1].strip()
    return inner
