"""Names of spans' and metrics' attributes.

Those of GenAI are in development: these are of semantic conventions 1.44.0, the names of which went
on to the repository `semantic-conventions-genai`. A test compares with its package.
"""

from __future__ import annotations

from enum import StrEnum


class GenAI(StrEnum):
    """OpenTelemetry's names for calls of models, in `gen_ai.…`."""

    AGENT_NAME = "gen_ai.agent.name"
    OPERATION_NAME = "gen_ai.operation.name"
    PROVIDER_NAME = "gen_ai.provider.name"
    REQUEST_MODEL = "gen_ai.request.model"
    REQUEST_STREAM = "gen_ai.request.stream"
    RESPONSE_FINISH_REASONS = "gen_ai.response.finish_reasons"
    RESPONSE_TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
    TOKEN_TYPE = "gen_ai.token.type"  # noqa: S105 - no password
    USAGE_INPUT_TOKENS = "gen_ai.usage.input_tokens"
    USAGE_OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
    USAGE_REASONING_OUTPUT_TOKENS = "gen_ai.usage.reasoning.output_tokens"
    WORKFLOW_NAME = "gen_ai.workflow.name"


class GenAIMetric(StrEnum):
    """OpenTelemetry's names for metrics of calls."""

    CLIENT_OPERATION_DURATION = "gen_ai.client.operation.duration"
    CLIENT_OPERATION_TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
    CLIENT_TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105 - no password


class Stable(StrEnum):
    """OpenTelemetry's stable names for requests and errors."""

    ERROR_TYPE = "error.type"
    HTTP_REQUEST_METHOD = "http.request.method"
    HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"
    HTTP_ROUTE = "http.route"
    URL_SCHEME = "url.scheme"


class Aurora(StrEnum):
    """Our own names."""

    ATTEMPTS = "aurorasoc.attempts"
    CLIENT = "aurorasoc.client"
    CODE = "aurorasoc.code"
    CONNECTION = "aurorasoc.connection"
    INVESTIGATION = "aurorasoc.investigation"
    REQUESTS_SENT = "aurorasoc.requests_sent"
    REVISION = "aurorasoc.revision"
    ROLE = "aurorasoc.role"
    SECONDS = "aurorasoc.seconds"
    STEP = "aurorasoc.step"
    TLP = "aurorasoc.tlp"
