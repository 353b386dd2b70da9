"""Spans and metrics for a collector of the site's, by OpenTelemetry (docs/decisions/054)."""
