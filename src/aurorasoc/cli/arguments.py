"""Arguments of several commands, and what is checked by the rules of the REST bodies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Final, TypeVar, get_args

import typer
from pydantic import ValidationError

from aurorasoc.config.fallbacks import OnRefusal
from aurorasoc.config.validation import rule_of
from aurorasoc.config.vocabulary import BUILT_IN, Role, Tlp
from aurorasoc.errors import InvalidInput

T = TypeVar("T")


def connection_of(text: str) -> str:
    """Return the connection's name that is meant, by the rules of REST."""
    from aurorasoc.llm.changes.fields import as_name  # noqa: PLC0415 - SQLAlchemy costs time

    return str(as_name(text))


Connection = Annotated[
    str,
    typer.Argument(
        parser=connection_of,
        metavar="CONNECTION",
        help=f"A connection's name: {', '.join(BUILT_IN)}, or one that was added.",
    ),
]

LABELS: Final = tuple(label for label in Tlp if label is not Tlp.NONE)
"""What data can be labelled."""

_OPTIONS: Final = {
    "api_key": "--key",
    "name": "NAME",
    "roles": "--role",
    "agents": "--agent",
    "connections": "--max-tlp",
}
"""Fields that aren't an option's name with `_` for `-`."""

_FIELD: Final = re.compile(r"\b(?:api_key|base_url|local_backend)\b")
"""Fields of REST that refusals name."""

_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d{1,15})?")


def tlp_of(text: str) -> Tlp:
    """Return the ceiling that a text names, in small letters or large ones.

    Raises:
        typer.BadParameter: It names none.
    """
    return _one_of(tuple(Tlp), text)


def label_of(text: str) -> Tlp:
    """Return the label that a text names, in small letters or large ones.

    Raises:
        typer.BadParameter: It names none.
    """
    return _one_of(LABELS, text)


def _one_of(labels: tuple[Tlp, ...], text: str) -> Tlp:
    label = next((label for label in labels if label == text.upper()), None)
    if label is None:
        message = f"must be one of {', '.join(labels)}"
        raise typer.BadParameter(message)
    return label


def label_option(help_text: str) -> Any:  # noqa: ANN401 - as Typer types it
    """Return an option that takes a label."""
    return typer.Option(parser=label_of, metavar="|".join(LABELS), help=help_text)


HostedMaxTlp = Annotated[
    Tlp | None,
    typer.Option(parser=tlp_of, metavar="|".join(Tlp), help="What hosted providers may have."),
]
LocalBackend = Annotated[
    str | None,
    typer.Option(
        metavar="CONNECTION", help="Serves what they may not; auto, or one that is local."
    ),
]
RequireTlp = Annotated[
    bool | None,
    typer.Option("--require-tlp/--no-require-tlp", help="Whether data needs a label."),
]

OnRefusalOption = Annotated[
    OnRefusal | None,
    typer.Option("--on-refusal", help="Whether the local backend is asked what others refuse."),
]


def fallbacks_option(help_text: str) -> Any:  # noqa: ANN401 - as Typer types it
    """Return an option that takes connections' names in order; empty text names none."""
    return typer.Option("--fallbacks", metavar="NAME,NAME…", help=help_text)


Fallbacks = Annotated[
    str | None,
    fallbacks_option("Who is asked after a failure, in order; empty: nobody."),
]


def names_in(text: str | None) -> list[str] | None:
    """Return comma-separated names; None if the option isn't there."""
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]


def pairs(
    option: str, texts: Iterable[str] | None, form: str = "NAME=VALUE; an empty VALUE takes it away"
) -> dict[str, str | None]:
    """Return `NAME=VALUE` texts as names and values; an empty value is None.

    Args:
        option: What takes them.
        texts: What was typed.
        form: Says what the option takes.

    Raises:
        InvalidInput: One isn't of this form, or a name comes twice. It isn't repeated: it may be
            a key that was entered in the wrong place.
    """
    result: dict[str, str | None] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            detail = f"{option} takes {form}."
            raise InvalidInput(detail)
        if name in result:
            detail = f"{option} names the same twice."
            raise InvalidInput(detail)
        result[name] = value or None
    return result


def sent(**fields: object) -> dict[str, Any]:
    """Return the fields that have a value: a missing one changes nothing."""
    return {name: value for name, value in fields.items() if value is not None}


def plain_value(text: str | None) -> str | float | None:
    """Return a number where a text is one: options are checked as JSON's values are."""
    if text is None or not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def by_options(detail: str) -> str:
    """Return a refusal with the options' names for those of fields."""
    return _FIELD.sub(lambda match: _option((match[0],)), detail)


def checked(build: Callable[[], T], *, name: str | None = None) -> T:
    """Validate arguments by the rules of the REST bodies; name the option, repeat no value.

    Args:
        build: Validates them.
        name: What is checked, where no option says it.

    Raises:
        InvalidInput: A rule is broken.
    """
    try:
        return build()
    except ValidationError as error:
        issues = error.errors(include_input=False, include_url=False, include_context=False)
    option = _option(issues[0]["loc"])
    expected = ", or ".join(rule_of(i["msg"]) for i in issues if _option(i["loc"]) == option)
    rules = re.sub("^(Input|String) should", "must", expected).replace("Input should be ", "")
    detail = f"{name or option}: {rules}."
    raise InvalidInput(detail)


def _option(place: tuple[int | str, ...]) -> str:
    """Name the option that a field of a request comes from."""
    return " ".join(_words([str(part) for part in place]))


def _words(place: list[str]) -> Iterator[str]:
    field, *inner = place
    if field in {"policy", "planned"}:  # they hold what options name
        yield from _words(inner)
        return
    if field == "assignments":  # planned ones have options of their own
        option, *which = _words(inner)
        yield option.replace("--", "--assign-", 1)
        yield from which
        return
    if field == "options":
        if inner and inner[0] == "headers":
            yield "--header"
        elif inner and inner[0] == "price":
            yield "--price"
            yield from inner[1:2]
        else:
            yield "--option"
            yield from inner[:1]
        return
    if field == "budget":
        yield f"--budget-{inner[0] if inner else 'per'}"
        return
    if inner[-1:] == ["fallbacks"]:  # one list for all assignments
        yield "--fallbacks"
        return
    yield _OPTIONS.get(field, f"--{field.replace('_', '-')}")
    if field == "roles" and inner and inner[0] in get_args(Role):
        yield inner[0]  # another name may be a key that was entered in the wrong place
