"""Spans around what this process does. Without telemetry they cost nothing, and import nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from aurorasoc.core.telemetry.names import Stable
from aurorasoc.errors import AuroraError

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer
    from opentelemetry.util.types import AttributeValue

Kind = Literal["internal", "server", "client"]


@dataclass(slots=True)
class _Tracing:
    """Holds this process's tracer; None: nothing is traced."""

    tracer: Tracer | None = None


TRACING: Final = _Tracing()

_NOTHING: Final[AbstractContextManager[None]] = nullcontext()


def span(
    name: str,
    attributes: Mapping[str, AttributeValue | None] | None = None,
    *,
    kind: Kind = "internal",
    parent: Context | None = None,
) -> AbstractContextManager[Span | None]:
    """Return a span around a block; it is None where nothing is traced.

    An error ends it with its code as `error.type`, never with its text.

    Args:
        name: Of few different values: no id, no content.
        attributes: Names and numbers, no content. Those that are None are left out.
        kind: Whether somebody else asks, or is asked.
        parent: What it is a part of; None: the span that the present task is in.
    """
    tracer = TRACING.tracer
    if tracer is None:
        return _NOTHING
    return _open(tracer, name, attributes or {}, kind, parent)


@contextmanager
def _open(
    tracer: Tracer,
    name: str,
    attributes: Mapping[str, AttributeValue | None],
    kind: Kind,
    parent: Context | None,
) -> Iterator[Span]:
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - not imported where nothing is traced

    with tracer.start_as_current_span(
        name,
        context=parent,
        kind=SpanKind[kind.upper()],
        attributes=without_none(attributes),
        record_exception=False,  # its text may hold content
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except Exception as error:
            mark_failed(current, code_of(error))
            raise


def without_none(attributes: Mapping[str, AttributeValue | None]) -> dict[str, AttributeValue]:
    """Return the attributes that have a value."""
    return {name: value for name, value in attributes.items() if value is not None}


def mark_failed(current: Span, code: str) -> None:
    """Say that what a span stands for failed, and with which code."""
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - as above

    current.set_attribute(Stable.ERROR_TYPE.value, code)
    current.set_status(StatusCode.ERROR)


def code_of(error: BaseException) -> str:
    """Return the code of an error of ours, or the name of another one's class."""
    return error.code if isinstance(error, AuroraError) else type(error).__qualname__


def trace_ids() -> dict[str, str]:
    """Return the ids of the present trace and span, in hexadecimal; none where none is active."""
    if TRACING.tracer is None:
        return {}
    from opentelemetry.trace import format_span_id, format_trace_id, get_current_span  # noqa: PLC0415 - as above

    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {
        "trace_id": format_trace_id(context.trace_id),
        "span_id": format_span_id(context.span_id),
    }
