"""How servers word the refusal of an option, and what looks like one and isn't."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from pydantic import SecretStr

from aurorasoc.config.snapshot import CallLimits
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.granite import ModelReference
from aurorasoc.llm.wire.asking.learned import Refusable
from aurorasoc.llm.wire.failures.error_bodies import read_error
from aurorasoc.llm.wire.failures.refusals import OptionRefused, option_refused
from aurorasoc.llm.wire.failures.translate import failure_in_document

REFERENCE: Final = ModelReference(
    connection="openai",
    provider=ServingBackend.OPENAI,
    prefix="openai",
    model="soc-reasoner",
    base_url="https://llm.example/v1",
    origin="https://llm.example:443",
    api_key=SecretStr("sk-0123456789"),
    limits=CallLimits(timeout=5.0, max_retries=0, max_concurrency=None),
)
SENT: Final = frozenset(Refusable)


def openai(message: str, param: str | None = None, code: str | None = None) -> str:
    """Word an error as OpenAI does, and most who speak its format."""
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
    return json.dumps({"error": error})


def vllm(message: str) -> str:
    """Word an error as vLLM did before it nested it."""
    said = {"object": "error", "message": message, "type": "BadRequestError", "param": None}
    return json.dumps(said | {"code": 400})


def pydantic(kind: str, message: str, *loc: str | int) -> dict[str, Any]:
    """Word one complaint of a validated body."""
    return {"type": kind, "loc": list(loc), "msg": message, "input": "system temperature"}


def mistral(*complaints: dict[str, Any]) -> str:
    """Word an error as Mistral does."""
    said = {"object": "error", "message": {"detail": complaints}, "type": "invalid_request_error"}
    return json.dumps(said | {"param": None, "code": None})


EXTRA: Final = ("extra_forbidden", "Extra inputs are not permitted", "body")

DOCUMENTED: Final[list[tuple[str, int, str, Refusable]]] = [
    (
        "mistral tool call ids",
        400,
        json.dumps(
            {
                "object": "error",
                "message": "Tool call id was call_1 but must be a-z, A-Z, 0-9, with a length of 9.",
                "type": "invalid_function_call",
                "code": "3280",
            }
        ),
        Refusable.TOOL_CALL_IDS,
    ),
    (
        "openai tool call ids",
        400,
        openai(
            "Invalid 'messages[1].tool_calls[0].id': string too long. Expected a string with "
            "maximum length 40, but got a string with length 300 instead.",
            "messages[1].tool_calls[0].id",
            "string_above_max_length",
        ),
        Refusable.TOOL_CALL_IDS,
    ),
    (
        "claude tool call ids",
        400,
        openai("messages.1.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"),
        Refusable.TOOL_CALL_IDS,
    ),
    (
        "openai temperature",
        400,
        openai(
            "Unsupported value: 'temperature' does not support 0 with this model. Only the "
            "default (1) value is supported.",
            "temperature",
            "unsupported_value",
        ),
        Refusable.TEMPERATURE,
    ),
    (
        "openai responses temperature",
        400,
        openai("Unsupported parameter: 'temperature' is not supported with this model."),
        Refusable.TEMPERATURE,
    ),
    (
        "moonshot temperature",
        400,
        openai("invalid temperature: only 0.6 is allowed for this model"),
        Refusable.TEMPERATURE,
    ),
    (
        "moonshot top_p",
        400,
        openai("invalid top_p: only 0.95 is allowed for this model"),
        Refusable.TOP_P,
    ),
    (
        "claude temperature",
        400,
        json.dumps(
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "`temperature` is deprecated for this model.",
                },
            }
        ),
        Refusable.TEMPERATURE,
    ),
    (
        "claude temperature and top_p",
        400,
        openai(
            "`temperature` and `top_p` cannot both be specified for this model. "
            "Please use only one."
        ),
        Refusable.TOP_P,
    ),
    (
        "proxy temperature",
        400,
        openai(
            "litellm.UnsupportedParamsError: gpt-5-nano doesn't support temperature=0.1 while "
            "reasoning is active. Only temperature=1 is supported unless reasoning_effort "
            "resolves to 'none'. To drop unsupported params set `litellm.drop_params = True`."
        ),
        Refusable.TEMPERATURE,
    ),
    (
        "openai max_tokens",
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            "max_tokens",
            "unsupported_parameter",
        ),
        Refusable.MAX_TOKENS,
    ),
    (
        "copilot max_tokens",
        400,
        openai(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
            "'max_completion_tokens' instead.",
            None,
            "invalid_request_body",
        ),
        Refusable.MAX_TOKENS,
    ),
    (
        "mistral max_completion_tokens",
        422,
        mistral(pydantic(*EXTRA, "max_completion_tokens")),
        Refusable.MAX_COMPLETION_TOKENS,
    ),
    (
        "old vllm max_completion_tokens",
        400,
        vllm(
            "[{'type': 'extra_forbidden', 'loc': ('body', 'max_completion_tokens'), 'msg': "
            "'Extra inputs are not permitted', 'input': 800}]"
        ),
        Refusable.MAX_COMPLETION_TOKENS,
    ),
    (
        "proxy max_completion_tokens",
        400,
        openai(
            "litellm.UnsupportedParamsError: zai does not support parameters: "
            "['max_completion_tokens'], for model=glm-5.2."
        ),
        Refusable.MAX_COMPLETION_TOKENS,
    ),
    (
        "deepseek json_schema",
        400,
        openai("This response_format type is unavailable now", None, "invalid_request_error"),
        Refusable.JSON_SCHEMA,
    ),
    (
        "deepseek json_schema, plain text",
        422,
        (
            "Failed to deserialize the JSON body into the target type: response_format: "
            "response_format.type `json_schema` is unavailable now at line 1 column 1193"
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "groq json_schema",
        400,
        openai(
            "This model does not support response format `json_schema`. See supported models "
            "at https://console.groq.com/docs/structured-outputs#supported-models"
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "groq json_schema, by validation",
        400,
        openai("'response_format.type' : value is not one of the allowed values ['json_object']"),
        Refusable.JSON_SCHEMA,
    ),
    (
        "azure json_schema",
        400,
        openai(
            "Invalid parameter: 'response_format' of type 'json_schema' is not supported with "
            "this model. Learn more at the Structured Outputs guide."
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "azure json_schema, older",
        400,
        openai(
            "Invalid parameter: 'response_format' must be one of 'json_object', 'text'.",
            "response_format",
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "old vllm json_schema",
        422,
        json.dumps(
            {
                "detail": [
                    pydantic(
                        "literal_error",
                        "Input should be 'text' or 'json_object'",
                        *("body", "response_format", "type"),
                    )
                ]
            }
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "old llama.cpp json_schema",
        500,
        json.dumps(
            {
                "error": {
                    "code": 500,
                    "message": 'response_format type must be one of "text" or "json_object", '
                    "but got: json_schema",
                    "type": "server_error",
                }
            }
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "tgi json_schema",
        422,
        (
            "Failed to deserialize the JSON body into the target type: response_format: unknown "
            "variant `json_schema`, expected one of `json`, `regex` at line 1 column 168"
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "xai response_format",
        400,
        json.dumps(
            {
                "code": "Client specified an invalid argument",
                "error": "The response_format parameter is unsupported at the moment. "
                "Leave it unset.",
            }
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "gemini json mode",
        400,
        json.dumps(
            [
                {
                    "error": {
                        "code": 400,
                        "message": "JSON mode is not enabled for models/gemma-3-27b-it",
                        "status": "INVALID_ARGUMENT",
                    }
                }
            ]
        ),
        Refusable.JSON_SCHEMA,
    ),
    (
        "claude output_format",
        400,
        openai("output_format: Extra inputs are not permitted"),
        Refusable.JSON_SCHEMA,
    ),
    (
        "gemini system role",
        400,
        json.dumps(
            {
                "error": {
                    "code": 400,
                    "message": "Developer instruction is not enabled for models/gemma-3-27b-it",
                    "status": "INVALID_ARGUMENT",
                }
            }
        ),
        Refusable.SYSTEM_ROLE,
    ),
    ("gemma template", 400, vllm("System role not supported"), Refusable.SYSTEM_ROLE),
    ("gemma template, sglang", 500, "System role not supported", Refusable.SYSTEM_ROLE),
    (
        "mistral template",
        400,
        vllm("Conversation roles must alternate user/assistant/user/assistant/..."),
        Refusable.SYSTEM_ROLE,
    ),
    (
        "mistral template, by llama.cpp",
        500,
        json.dumps(
            {
                "error": {
                    "code": 500,
                    "message": "Only user, assistant and tool roles are supported, got system. "
                    "at row 189, column 164",
                    "type": "server_error",
                }
            }
        ),
        Refusable.SYSTEM_ROLE,
    ),
    (
        "qwen template",
        400,
        vllm("System message must be at the beginning."),
        Refusable.SYSTEM_ROLE,
    ),
    (
        "openai system role",
        400,
        openai(
            "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
            "messages[0].role",
            "unsupported_value",
        ),
        Refusable.SYSTEM_ROLE,
    ),
    (
        "azure stream_options",
        400,
        openai("Unknown parameter: 'stream_options'.", "stream_options", "unknown_parameter"),
        Refusable.STREAM_OPTIONS,
    ),
    (
        "azure stream_options, older",
        400,
        openai(
            "Unrecognized request argument supplied: stream_options. Please contact us through "
            "an Azure support request"
        ),
        Refusable.STREAM_OPTIONS,
    ),
    (
        "azure parallel_tool_calls",
        400,
        openai("Unrecognized request argument supplied: parallel_tool_calls"),
        Refusable.PARALLEL_TOOL_CALLS,
    ),
    (
        "groq's way with a property",
        400,
        openai("property 'parallel_tool_calls' is unsupported"),
        Refusable.PARALLEL_TOOL_CALLS,
    ),
    (
        "xai penalty",
        400,
        json.dumps(
            {
                "code": "Client specified an invalid argument",
                "error": "Argument not supported on this model: frequencyPenalty",
            }
        ),
        Refusable.FREQUENCY_PENALTY,
    ),
    (
        "xai reasoning effort",
        400,
        json.dumps(
            {
                "code": "invalid-argument",
                "error": "Model grok-4.20-0309-reasoning does not support parameter "
                "reasoningEffort.",
            }
        ),
        Refusable.REASONING_EFFORT,
    ),
    (
        "ollama thinking",
        400,
        openai('"granite4:8b" does not support thinking'),
        Refusable.REASONING_EFFORT,
    ),
]
documented = pytest.mark.parametrize(
    ("status", "text", "option"),
    [pytest.param(status, text, option, id=name) for name, status, text, option in DOCUMENTED],
)

OTHERS: Final = {
    "openai's missing answer": (
        400,
        openai(
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. (No response found for tool_call_ids: call_1)",
            "messages.[2].role",
        ),
    ),
    "a tool's name": (
        400,
        openai("tools.0.custom.name: String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"),
    ),
    "vllm window": (
        400,
        vllm(
            "'max_tokens' or 'max_completion_tokens' is too large: 4096. This model's maximum "
            "context length is 4096 tokens and your request has 812 input tokens"
        ),
    ),
    "openai window": (
        400,
        openai("This model's maximum context length is 8192 tokens.", "messages", "context_length"),
    ),
    "openai bound": (
        400,
        openai("max_tokens is too large: 100000. This model supports at most 16384", "max_tokens"),
    ),
    "groq bound": (
        400,
        openai(
            "max_completion_tokens must be less than or equal to 40960", "max_completion_tokens"
        ),
    ),
    "claude bound": (400, openai("max_tokens: 100000 > 64000, which is not allowed to exceed it")),
    "temperature out of range": (
        400,
        openai("Invalid value: 'temperature' must be between 0 and 2.", "temperature"),
    ),
    "temperature out of pydantic's range": (
        422,
        mistral(pydantic("less_than_equal", "Input should be less than or equal to 1.5", "body")),
    ),
    "azure filter": (
        400,
        openai(
            "The response was filtered: the prompt triggered the content management policy. "
            "This system prompt is not allowed.",
            "prompt",
            "content_filter",
        ),
    ),
    "no tools": (400, openai("registry.ollama.ai/library/gemma3:4b does not support tools")),
    "no tool parser": (400, vllm('"auto" tool choice requires --enable-auto-tool-choice')),
    "another option": (400, openai("Unknown parameter: 'verbosity'.", "verbosity", "unknown")),
    "wrong key": (401, openai("Unsupported temperature of the key")),
    "rate": (429, openai("temperature is not supported")),
    "failed generation": (400, openai("Failed to generate JSON", None, "json_validate_failed")),
    "a web page": (400, "<html>temperature of the server room</html>"),
    "echoed prompt": (
        422,
        json.dumps(
            {
                "detail": [
                    {
                        "type": "value_error",
                        "loc": ["body", "tools"],
                        "msg": "Value error",
                        "input": "temperature is not supported with this model",
                    }
                ]
            }
        ),
    ),
}


@documented
def test_documented_refusal_names_its_option(status: int, text: str, option: Refusable) -> None:
    """Whatever else was sent."""
    refusal = option_refused(status, read_error(text), SENT - {Refusable.JSON_OBJECT}, REFERENCE)
    assert refusal is not None
    assert refusal.option is option


@documented
def test_option_that_was_not_sent_is_not_refused(status: int, text: str, option: Refusable) -> None:
    """The refusal must be of something else, or of another request."""
    json_modes = {Refusable.JSON_SCHEMA, Refusable.JSON_OBJECT}
    gone = json_modes if option in json_modes else {option}
    refusal = option_refused(
        status, read_error(text), SENT - gone - {Refusable.REASONING_EFFORT}, REFERENCE
    )
    assert refusal is None or refusal.option is not option


@documented
def test_refusal_that_another_proxy_wrapped_is_still_one(
    status: int, text: str, option: Refusable
) -> None:
    """LiteLLM's proxy writes the provider's body into its own sentence."""
    del status
    wrapped = openai(f"litellm.BadRequestError: OpenAIException - {text}. Received Model Group=x")
    refusal = option_refused(400, read_error(wrapped), frozenset({option}), REFERENCE)
    assert refusal is not None
    assert refusal.option is option


@pytest.mark.parametrize("name", OTHERS)
def test_other_refusal_is_no_options(name: str) -> None:
    """Content, windows, ranges, keys and rates are for others to mend."""
    status, text = OTHERS[name]
    assert option_refused(status, read_error(text), SENT, REFERENCE) is None


def test_temperature_that_thinking_binds_is_left_out() -> None:
    """As Claude words it; the effort stays."""
    said = "`temperature` may only be set to 1 when thinking is enabled. Please consult our docs."
    text = json.dumps({"error": {"type": "invalid_request_error", "message": said}})
    refusal = option_refused(400, read_error(text), SENT, REFERENCE)
    assert refusal is not None
    assert refusal.option is Refusable.TEMPERATURE


@pytest.mark.parametrize("named", ["moonshotai/kimi-k2-thinking", "kimi-k2-thinking"])
def test_models_name_is_no_options(named: str) -> None:
    """Else `thinking` in it were learnt as refused, beside what is."""
    text = openai(f"{named}: invalid temperature: only 1 is allowed for this model")
    model = replace(REFERENCE, model="moonshotai/Kimi-K2-Thinking")
    refusal = option_refused(400, read_error(text), SENT, model)
    assert refusal is not None
    assert refusal.option is Refusable.TEMPERATURE


def test_plain_json_mode_is_refused_by_name() -> None:
    """LM Studio takes schemas only."""
    text = json.dumps({"error": "'response_format.type' must be 'json_schema' or 'text'"})
    refusal = option_refused(400, read_error(text), frozenset({Refusable.JSON_OBJECT}), REFERENCE)
    assert refusal is not None
    assert refusal.option is Refusable.JSON_OBJECT


@pytest.mark.parametrize(
    ("text", "option"),
    [
        (
            openai(
                "Invalid schema for response_format 'Verdict': 'additionalProperties' is required",
                "response_format",
            ),
            Refusable.JSON_SCHEMA,
        ),
        (openai("Failed to initialize samplers: failed to parse grammar"), Refusable.JSON_SCHEMA),
        (openai("Failed to initialize samplers: std::exception"), Refusable.JSON_SCHEMA),
        (openai("JSON schema conversion failed:\nUnrecognized schema"), Refusable.JSON_SCHEMA),
        (
            vllm("The provided JSON schema contains features not supported by xgrammar."),
            Refusable.JSON_SCHEMA,
        ),
        (
            openai(
                "Unsupported value: 'reasoning_effort' does not support 'minimal' with this "
                "model. Supported values are: 'low', 'medium' and 'high'.",
                "reasoning_effort",
                "unsupported_value",
            ),
            Refusable.REASONING_EFFORT,
        ),
        (
            openai("`reasoning_effort` must be one of `none` or `default`"),
            Refusable.REASONING_EFFORT,
        ),
        (
            openai("reasoning_effort: Input should be 'low', 'medium' or 'high'"),
            Refusable.REASONING_EFFORT,
        ),
        (
            openai("Thinking may not be enabled when tool_choice forces tool use."),
            Refusable.REASONING_EFFORT,
        ),
    ],
)
def test_refusal_of_one_schema_or_value_does_not_last(text: str, option: Refusable) -> None:
    """Another schema or effort may be taken."""
    refusal = option_refused(400, read_error(text), SENT, REFERENCE)
    assert refusal is not None
    assert (refusal.option, refusal.lasting) == (option, False)


def test_refusal_says_nothing_of_the_vendors_text() -> None:
    """A key may be echoed in it."""
    text = openai("temperature is not supported, sk-0123456789", "temperature")
    refusal = option_refused(400, read_error(text), SENT, REFERENCE)
    assert isinstance(refusal, OptionRefused)
    assert str(refusal) == "openai refused the request: soc-reasoner doesn't take temperature."


NOT_TAKEN: Final = {"message": "temperature is not supported"}


@pytest.mark.parametrize(
    "document",
    [
        {"error": NOT_TAKEN},
        {"type": "error", "error": NOT_TAKEN},
        {"type": "error", **NOT_TAKEN, "param": "temperature"},
        {"type": "response.failed", "response": {"error": NOT_TAKEN}},
        {"choices": [{"finish_reason": "error", "error": NOT_TAKEN}]},
    ],
    ids=["chat completions", "messages", "responses", "responses, later", "within its choice"],
)
def test_error_inside_an_answer_is_read_too(document: dict[str, Any]) -> None:
    """Some servers refuse with 200."""
    refusal = failure_in_document(document, REFERENCE, SENT)
    assert isinstance(refusal, OptionRefused)
    assert refusal.option is Refusable.TEMPERATURE


@pytest.mark.parametrize(
    "document", [{"choices": []}, {"error": None}, ["temperature is not supported"], None]
)
def test_answer_is_no_refusal(document: object) -> None:
    """Whatever it says."""
    assert failure_in_document(document, REFERENCE, SENT) is None


def test_endless_and_deep_errors_are_read_as_far_as_it_matters() -> None:
    """A provider writes them."""
    deep = "[" * 30_000 + "]" * 30_000
    many = json.dumps({"detail": [{"msg": "x", "loc": ["body"]}] * 3_000})
    assert option_refused(400, read_error(deep), SENT, REFERENCE) is None
    assert option_refused(400, read_error(many), SENT, REFERENCE) is None
