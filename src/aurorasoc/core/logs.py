"""Logging: one JSON line per event, without keys; shown shortly where a person reads it.

Our loggers redact and render before the standard library sees the event, so a host platform's
handlers get safe lines too. `configure_logging` applies the same steps to the libraries' loggers,
in processes that run only this service.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Final

import structlog
from structlog.typing import Processor

from aurorasoc.config.log_form import JSON_LINES, LogForm
from aurorasoc.core.redaction import REDACTOR
from aurorasoc.core.short_lines import ShortLines

ROOT: Final = "aurorasoc"

_LIBRARIES: Final = (
    "LiteLLM",
    "LiteLLM Proxy",
    "LiteLLM Router",
    "aiosqlite",
    "alembic",
    "asyncio",
    "beeai_framework",
    "httpcore",
    "httpx",
    "openai",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.error",
)

_FAMILIES: Final = frozenset(name.split(".")[0] for name in _LIBRARIES)

_BEFORE: Final[list[Processor]] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_AFTER: Final[list[Processor]] = [
    structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    ),
    REDACTOR,
    structlog.processors.JSONRenderer(),
]


def get_logger(name: str) -> Any:  # noqa: ANN401 - structlog's bound loggers are untyped by design
    """Return the logger of one concern.

    Args:
        name: Dotted name below `aurorasoc`.
    """
    return structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, *_BEFORE, *_AFTER],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        context_class=dict,
        cache_logger_on_first_use=True,
    )


def configure_logging(form: LogForm = JSON_LINES, level: int = logging.INFO) -> None:
    """Write our logs and the libraries' to standard error.

    Args:
        form: JSON lines, or short ones for a person at a terminal.
        level: The lowest level of ours that is written.
    """
    ours = logging.getLogger(ROOT)
    ours.handlers[:] = [_handler(logging.Formatter("%(message)s"), form)]
    ours.setLevel(level)
    ours.propagate = False
    root = logging.getLogger()
    root.handlers[:] = [
        _handler(
            structlog.stdlib.ProcessorFormatter(
                foreign_pre_chain=[*_BEFORE, structlog.stdlib.ExtraAdder()],
                processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_AFTER],
            ),
            form,
        )
    ]
    root.setLevel(logging.WARNING)
    quieten_libraries()


def quieten_libraries() -> None:
    """Route the libraries' loggers to the root; some attach handlers when imported."""
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.WARNING)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in _FAMILIES:
            logging.getLogger(name).addFilter(_redacted)  # adding it twice has no effect


def _redacted(record: logging.LogRecord) -> bool:
    """Redact a library's record at its logger, which a host may have made verbose again."""
    record.msg, record.args = REDACTOR.text(record.getMessage()), ()
    if record.exc_info:
        record.exc_text = REDACTOR.text(logging.Formatter().formatException(record.exc_info))
        record.exc_info = None
    return True


def _handler(formatter: logging.Formatter, form: LogForm) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    if form.short:
        formatter = ShortLines(formatter, colour=form.colour and sys.stderr.isatty())
    handler.setFormatter(formatter)
    return handler
