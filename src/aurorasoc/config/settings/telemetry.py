"""`OTEL_…`: where traces and metrics go. The SDK reads the rest of its variables itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from aurorasoc.config.settings.variables import Variables

_OFF: Final = "none"


class TelemetrySettings(Variables):
    """OpenTelemetry's standard variables that switch it on, lead it, or hold secrets."""

    exporter_otlp_endpoint: str | None = None
    exporter_otlp_traces_endpoint: str | None = None
    exporter_otlp_metrics_endpoint: str | None = None
    exporter_otlp_headers: SecretStr | None = None
    exporter_otlp_traces_headers: SecretStr | None = None
    exporter_otlp_metrics_headers: SecretStr | None = None
    traces_exporter: str = "otlp"
    metrics_exporter: str = "otlp"
    sdk_disabled: str = "false"

    model_config = SettingsConfigDict(
        env_prefix="OTEL_", env_ignore_empty=True, extra="ignore", frozen=True
    )

    @field_validator(
        "exporter_otlp_endpoint", "exporter_otlp_traces_endpoint", "exporter_otlp_metrics_endpoint"
    )
    @classmethod
    def _address(cls, value: str | None) -> str | None:
        try:
            parts = urlsplit(value or "http://none")
            whole = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            whole = False
        if not whole:
            msg = "an address that begins with http:// or https://"
            raise ValueError(msg)
        return value

    @property
    def on(self) -> bool:
        """Whether anything is exported."""
        return self.exporter_otlp_endpoint is not None and self.sdk_disabled.lower() != "true"

    @property
    def traces_address(self) -> str | None:
        """Where spans go; None: nowhere."""
        return self._to("traces", self.traces_exporter, self.exporter_otlp_traces_endpoint)

    @property
    def metrics_address(self) -> str | None:
        """Where metrics go; None: nowhere."""
        return self._to("metrics", self.metrics_exporter, self.exporter_otlp_metrics_endpoint)

    @property
    def traces_headers(self) -> SecretStr | None:
        """Headers of each request with spans, as the variable has them."""
        return self.exporter_otlp_traces_headers or self.exporter_otlp_headers

    @property
    def metrics_headers(self) -> SecretStr | None:
        """Headers of each request with metrics, as the variable has them."""
        return self.exporter_otlp_metrics_headers or self.exporter_otlp_headers

    def secrets(self) -> Iterator[str]:
        """Yield what no log may show: values of headers, and passwords in addresses."""
        for headers in (
            self.exporter_otlp_headers,
            self.exporter_otlp_traces_headers,
            self.exporter_otlp_metrics_headers,
        ):
            for pair in headers.get_secret_value().split(",") if headers else ():
                value = pair.partition("=")[2].strip()
                yield from (value, unquote(value), unquote(value).rpartition(" ")[2])
        for address in (
            self.exporter_otlp_endpoint,
            self.exporter_otlp_traces_endpoint,
            self.exporter_otlp_metrics_endpoint,
        ):
            password = urlsplit(address).password if address else None
            if password:
                yield from (password, unquote(password))

    def _to(self, signal: str, exporter: str, address: str | None) -> str | None:
        if not self.on or exporter.lower() == _OFF:
            return None
        return address or f"{(self.exporter_otlp_endpoint or '').removesuffix('/')}/v1/{signal}"
