"""Telemetry is on while a runtime is open, if the environment names a collector."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from aurorasoc.config.settings.telemetry import TelemetrySettings
from aurorasoc.core.logs import get_logger
from aurorasoc.core.telemetry.spans import TRACING

if TYPE_CHECKING:
    from aurorasoc.core.telemetry.exporting import Exporting

log = get_logger("aurorasoc.telemetry")


def switch_on(settings: TelemetrySettings) -> Exporting | None:
    """Begin to export; nothing of the SDK is imported unless it is on.

    Returns:
        None: it isn't on, or the extra is missing, which is logged.
    """
    if not settings.on:
        return None
    try:
        from aurorasoc.core.telemetry.exporting import Exporting  # noqa: PLC0415 - costs 70 ms, in an extra
    except ModuleNotFoundError:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but the exporter isn't installed, so there is no "
            "telemetry. Install it: pip install aurorasoc[otel]"
        )
        return None
    exporting = Exporting(settings, version("aurorasoc"))
    TRACING.tracer = exporting.tracer
    return exporting


async def switch_off(exporting: Exporting) -> None:
    """Deliver what is left, and export no more."""
    TRACING.tracer = None
    await exporting.close()
