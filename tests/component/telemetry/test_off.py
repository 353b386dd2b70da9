"""Without a collector telemetry costs no import; without the extra, a line says what to install."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from aurorasoc.api.app import create_app
from aurorasoc.config.settings import load_settings
from aurorasoc.core.telemetry import spans
from aurorasoc.core.telemetry.names import Aurora, GenAI, GenAIMetric, Stable
from aurorasoc.core.telemetry.switch import switch_on
from aurorasoc.errors import ConfigurationError
from tests.examples import JWT_SECRET, settings
from tests.world.processes import bare_env


def test_sdk_is_not_imported_by_the_app(tmp_path: Path) -> None:
    """FastAPI brings OpenTelemetry's API, which does nothing."""
    script = (
        "import sys; from aurorasoc.api.app import create_app; create_app();"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk',"
        " 'opentelemetry.exporter'))])"
    )
    env = bare_env(AURORA_STATE_DIR=str(tmp_path), JWT_SECRET_KEY=JWT_SECRET)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_missing_extra_is_one_line_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The service goes on without telemetry."""
    monkeypatch.setitem(sys.modules, "aurorasoc.core.telemetry.exporting", None)
    used = settings(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    with caplog.at_level(logging.WARNING):
        assert switch_on(used.telemetry) is None
    [record] = caplog.records
    assert "pip install aurorasoc[otel]" in record.getMessage()


@pytest.mark.parametrize(
    "off", [{"OTEL_SDK_DISABLED": "true"}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}]
)
def test_standard_ways_to_switch_it_off_are_honoured(tmp_path: Path, off: dict[str, str]) -> None:
    """For the whole."""
    used = settings(tmp_path, **{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **off})
    assert (used.telemetry.traces_address, used.telemetry.metrics_address) == (None, None)


def test_one_signal_can_be_left_out(tmp_path: Path) -> None:
    """`none` as its exporter; the other goes to the endpoint and its own path."""
    used = settings(
        tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1/", OTEL_TRACES_EXPORTER="none"
    )
    assert used.telemetry.traces_address is None
    assert used.telemetry.metrics_address == "http://127.0.0.1:1/v1/metrics"


def test_wrong_endpoint_stops_the_boot_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its value, which may hold a password."""
    monkeypatch.setenv("AURORA_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector-canary:4318")
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_ENDPOINT") as refused:
        load_settings()
    assert "canary" not in refused.value.detail


def test_names_are_those_of_opentelemetrys_own_package() -> None:
    """Also those that are in development."""
    from opentelemetry.semconv._incubating.attributes import gen_ai_attributes  # noqa: PLC0415
    from opentelemetry.semconv._incubating.metrics import gen_ai_metrics  # noqa: PLC0415
    from opentelemetry.semconv.attributes import (  # noqa: PLC0415
        error_attributes,
        http_attributes,
        url_attributes,
    )

    assert {f"GEN_AI_{name.name}" for name in GenAI} <= vars(gen_ai_attributes).keys()
    for name in GenAI:
        assert getattr(gen_ai_attributes, f"GEN_AI_{name.name}") == name
    for metric in GenAIMetric:
        assert getattr(gen_ai_metrics, f"GEN_AI_{metric.name}") == metric
    stable = vars(error_attributes) | vars(http_attributes) | vars(url_attributes)
    assert {name.name: stable[name.name] for name in Stable} == {n.name: n.value for n in Stable}
    assert all(name.startswith("aurorasoc.") for name in Aurora)


def test_span_is_nothing_where_nothing_is_traced() -> None:
    """Nothing of OpenTelemetry is asked."""
    assert spans.TRACING.tracer is None
    with spans.span("invoke_agent triage") as current:
        assert current is None


def test_fastapis_own_telemetry_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would export paths, queries and the texts of errors, to wherever a variable says."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    app = create_app(settings(tmp_path))
    switches = {name: on for name, on in app._telemetry.items() if isinstance(on, bool)}
    assert switches
    assert not any(switches.values())
