"""A process that calls models through BeeAI: one JSON case a line in, one JSON outcome out."""

import asyncio
import json
import sys
from typing import Any

from beeai_framework.backend.chat import ChatModel
from beeai_framework.backend.message import UserMessage
from beeai_framework.tools import StringToolOutput, Tool, tool
from pydantic import BaseModel, Field


class Verdict(BaseModel):
    """A small structured answer with the bounds that vendors differ over."""

    severity: str = Field(pattern="^(low|high)$")
    confidence: int = Field(ge=1, le=100)
    note: str = Field(max_length=12)
    techniques: list[str] = Field(max_length=3)


@tool
def lookup(host: str) -> StringToolOutput:
    """Look a host up."""
    return StringToolOutput(host)


async def call(case: dict[str, Any]) -> dict[str, Any]:
    """Make one call and tell what came of it, exceptions included."""
    seen: list[str] = []
    try:
        model = ChatModel.from_name(case["name"], **case.get("options", {}))
        asked = model.run([UserMessage("ping")], **_run_options(case))
        outcome = await asked.on(
            "new_token", lambda data, _: seen.append(data.value.get_text_content())
        )
    except Exception as error:  # noqa: BLE001 - to be reported, whatever it is
        return {"error": _chain(error), "tokens": seen}
    return {
        "text": outcome.get_text_content(),
        "tokens": seen,
        "tools": [[used.tool_name, used.args] for used in outcome.get_tool_calls()],
        "structured": _dumped(outcome.output_structured),
        "finish": outcome.finish_reason,
        "usage": outcome.usage.model_dump(),
    }


def _run_options(case: dict[str, Any]) -> dict[str, Any]:
    tools: list[Tool[Any, Any, Any]] = [lookup]
    modes: dict[str, dict[str, Any]] = {
        "chat": {},
        "stream": {"stream": True},
        "tool": {"tools": tools},
        "tool-required": {"tools": tools, "tool_choice": "required"},
        "tool-stream": {"tools": tools, "stream": True},
        "structured": {"response_format": Verdict},
        "structured-stream": {"response_format": Verdict, "stream": True},
    }
    return {"max_retries": 0, **modes[case["mode"]], **case.get("run", {})}


def _dumped(structured: object) -> object:
    return structured.model_dump() if isinstance(structured, BaseModel) else structured


def _chain(error: BaseException | None) -> list[dict[str, Any]]:
    """Return the error and its causes: class, own text, and status code if it carries one."""
    links: list[dict[str, Any]] = []
    while error is not None and len(links) < 10:
        kind = type(error)
        links.append(
            {
                "class": f"{kind.__module__}.{kind.__qualname__}",
                "status_code": getattr(error, "status_code", None),
                "code": getattr(error, "code", None),
                "text": str(error)[:600],
                "cause": error.__cause__ is not None,
            }
        )
        error = error.__cause__ or error.__context__
    return links


async def main() -> None:
    """Serve cases until standard input ends, all on one loop, as a service would."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        outcome = await asyncio.wait_for(call(json.loads(line)), 60)
        sys.stdout.write(f"OUTCOME {json.dumps(outcome)}\n")
        sys.stdout.flush()


asyncio.run(main())
