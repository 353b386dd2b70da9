"""From OpenAI's shape to what a completion asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from aurorasoc.agents.registry import AGENTS
from aurorasoc.api.door.body import (
    CompletionBody,
    Function,
    JsonObjectFormat,
    JsonSchema,
    JsonSchemaFormat,
    require_fit,
)
from aurorasoc.api.door.errors import InvalidForModel, UnknownModel, WrongField
from aurorasoc.api.door.messages import (
    AnyTurn,
    AssistantTurn,
    ImagePart,
    RefusalPart,
    TextPart,
    ToolTurn,
    UserTurn,
)
from aurorasoc.config.assignments import Assignments
from aurorasoc.config.vocabulary import Role
from aurorasoc.errors import AuroraError, RequestRefused
from aurorasoc.llm.wire.answers.tool_calls import ToolCall
from aurorasoc.llm.wire.asking import schemas
from aurorasoc.llm.wire.asking.request import BOUNDS
from aurorasoc.workflows.completion import Asked, Part, Turn

_ROLES: Final[Mapping[str, Role]] = {"specialist": "specialist", "orchestrator": "orchestrator"}

_SENT_AS_OPTIONS: Final = (
    "temperature",
    "top_p",
    "seed",
    "reasoning_effort",
    "frequency_penalty",
    "presence_penalty",
)
_REFUSABLE: Final = (*_SENT_AS_OPTIONS, "parallel_tool_calls", "tool_choice")
_UNSAYABLE: Final = frozenset({"detail", "stop", "strict"})
"""What some formats have no word for: `Asked.unheeded_by` names it only if it was asked for."""

_KEPT_HERE: Final = ("user", "safety_identifier", "prompt_cache_key", "metadata")
"""What no vendor is told."""


def models(assignments: Assignments) -> tuple[str, ...]:
    """Return the names of all models: the roles, our agents, and who else has an assignment."""
    return tuple(dict.fromkeys([*_ROLES, *AGENTS, *sorted(assignments.agents)]))


def who(model: str, assignments: Assignments) -> tuple[Role, str | None]:
    """Return the role and the agent that a model stands for.

    Raises:
        UnknownModel: There is none of that name.
    """
    known = models(assignments)
    if model not in known:
        detail = f"There is no such model. Choose one of: {', '.join(known)}."
        raise UnknownModel(detail)
    agent = model if model in AGENTS or model in assignments.agents else None
    return _ROLES.get(model, "specialist"), agent


def asked(body: CompletionBody) -> Asked:
    """Return what a body asks for.

    Raises:
        WrongField: Fields don't go together, or a tool's message answers no call.
    """
    require_fit(body)
    return Asked(_turns(body.messages), _options(body), _verbatim(body))


def left_out(body: CompletionBody, unsaid: frozenset[str]) -> set[str]:
    """Return the names of what a body holds and the model wasn't told.

    Args:
        body: What was asked for.
        unsaid: What the model refuses, takes only in other words, or doesn't obey.
    """
    said = {name for name in _REFUSABLE if getattr(body, name) is not None}
    form = body.response_format
    if form is not None and form.type != "text":
        said.add(form.type)
    left = set(unsaid & (said | _UNSAYABLE))
    if unsaid >= BOUNDS and (body.max_tokens or body.max_completion_tokens):
        left.add("max_completion_tokens" if body.max_completion_tokens else "max_tokens")
    left |= {name for name in unsaid if name.startswith(schemas.PREFIX)}
    return left | kept_here(body)


def kept_here(body: CompletionBody) -> set[str]:
    """Return the names of what a body holds and no vendor is told."""
    kept = {name for name in _KEPT_HERE if getattr(body, name) is not None}
    if any(getattr(turn, "name", None) for turn in body.messages if turn.role != "tool"):
        kept.add("name")
    if any(getattr(turn, "reasoning_content", None) for turn in body.messages):
        kept.add("reasoning_content")
    return kept


def caused(error: AuroraError, body: CompletionBody) -> AuroraError:
    """Return a failure as the caller's mistake if it is one.

    It is where the provider says that the request isn't valid, and names no option that somebody
    else set: the connection, or the service.
    """
    if not isinstance(error, RequestRefused) or not error.is_invalid:
        return error
    set_here = {name for name in error.options if getattr(body, name, None) is None}
    if body.max_tokens or body.max_completion_tokens:
        set_here -= BOUNDS
    return error if set_here else InvalidForModel(error)


def _options(body: CompletionBody) -> dict[str, Any]:
    options = {name: getattr(body, name) for name in _SENT_AS_OPTIONS}
    options["max_tokens"] = body.max_completion_tokens or body.max_tokens
    if body.stop:
        options["stop_sequences"] = [body.stop] if isinstance(body.stop, str) else body.stop
    return {name: value for name, value in options.items() if value is not None}


def _verbatim(body: CompletionBody) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if body.tools:
        said["tools"] = [
            {"type": "function", "function": _set(tool.function)} for tool in body.tools
        ]
        if body.tool_choice is not None:
            choice = body.tool_choice
            said["tool_choice"] = choice if isinstance(choice, str) else choice.model_dump()
        if body.parallel_tool_calls is not None:
            said["parallel_tool_calls"] = body.parallel_tool_calls
    form = body.response_format
    if isinstance(form, JsonSchemaFormat):
        said["response_format"] = {"type": form.type, form.type: _set(form.json_schema)}
    elif isinstance(form, JsonObjectFormat):
        said["response_format"] = {"type": form.type}
    return said


def _set(shape: Function | JsonSchema) -> dict[str, Any]:
    """Return the fields that are set; a schema in them stays as it came, with its nulls."""
    named = {name.rstrip("_"): getattr(shape, name) for name in type(shape).model_fields}
    return {name: value for name, value in named.items() if value is not None}


def _turns(messages: Sequence[AnyTurn]) -> list[Turn]:
    tools: dict[str, str] = {}
    turns = []
    for place, message in enumerate(messages):
        turn = _turn(message, place, tools)
        tools |= {call.id: call.name for call in turn.tool_calls}
        turns.append(turn)
    return turns


def _turn(message: AnyTurn, place: int, tools: Mapping[str, str]) -> Turn:
    """Return one message.

    Args:
        message: It.
        place: Where it stands.
        tools: The tools of the calls before it, by the calls' ids.
    """
    if isinstance(message, ToolTurn):
        called = tools.get(message.tool_call_id)
        if called is None:
            field = f"messages.{place}.tool_call_id"
            detail = f"{field}: no message before it makes a call of that id"
            raise WrongField(detail, field)
        return Turn("tool", _parts(message.content), call_id=message.tool_call_id, tool=called)
    if isinstance(message, AssistantTurn):
        calls = tuple(
            ToolCall(call.id, call.function.name, call.function.arguments)
            for call in message.tool_calls or ()
        )
        parts = _parts(message.content) + _parts(message.refusal)
        if not parts and not calls:
            field = f"messages.{place}.content"
            detail = f"{field}: an assistant's message has content or tool_calls"
            raise WrongField(detail, field)
        return Turn("assistant", parts, calls)
    if isinstance(message, UserTurn):
        return Turn("user", _parts(message.content))
    return Turn("system", _parts(message.content))


def _parts(content: str | Sequence[TextPart | ImagePart | RefusalPart] | None) -> tuple[Part, ...]:
    if not content:
        return ()
    if isinstance(content, str):
        return (Part("text", content),)
    return tuple(_part(part) for part in content)


def _part(part: TextPart | ImagePart | RefusalPart) -> Part:
    if isinstance(part, ImagePart):
        return Part("image", part.image_url.url, part.image_url.detail)
    return Part("text", part.text if isinstance(part, TextPart) else part.refusal)
