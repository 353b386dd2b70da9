"""How one speaks to an agent: both versions of A2A, and both bindings of the newer one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx
from a2a.utils.errors import A2A_REASON_TO_ERROR, JSON_RPC_ERROR_CODE_MAP

JSON: Final = {"Content-Type": "application/json"}

_NAMES: Final = ("send", "stream", "get", "cancel", "follow")
_PATHS: Final = {
    "send": ("POST", "/message:send"),
    "stream": ("POST", "/message:stream"),
    "get": ("GET", "/tasks/{id}"),
    "cancel": ("POST", "/tasks/{id}:cancel"),
    "follow": ("GET", "/tasks/{id}:subscribe"),
}


@dataclass(frozen=True, slots=True)
class Tongue:
    """A version and a binding.

    Attributes:
        version: Of the protocol.
        methods: The operations by their plain names; None: by paths.
        at_once: The configuration that doesn't wait for the answer.
    """

    version: str
    methods: Mapping[str, str] | None
    at_once: Mapping[str, Any]

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a request; version 0.3 has none of its own."""
        return JSON if self.version == "0.3" else JSON | {"A2A-Version": self.version}

    def message(self, *parts: Any, **fields: Any) -> dict[str, Any]:
        """Make a user's message of parts, or of texts."""
        made = [self.text(part) if isinstance(part, str) else part for part in parts]
        if self.version == "0.3":
            head = {"kind": "message", "role": "user"}
        else:
            head = {"role": "ROLE_USER"}
        return {"messageId": "m1", **head, "parts": made, **fields}

    def text(self, text: str, **fields: Any) -> dict[str, Any]:
        """Make a part of text."""
        return {"text": text, **({"kind": "text"} if self.version == "0.3" else {}), **fields}

    def data(self, data: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Make a part of data."""
        return {"data": data, **({"kind": "data"} if self.version == "0.3" else {})}

    def file(self, url: str) -> dict[str, Any]:
        """Make a part that names a file."""
        return {"kind": "file", "file": {"uri": url}} if self.version == "0.3" else {"url": url}

    def request(self, operation: str, params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        """Return httpx's arguments for an operation."""
        if self.methods is None:
            verb, path = _PATHS[operation]
            rest = {name: value for name, value in params.items() if name != "id"}
            body = {"params": rest} if verb == "GET" else {"content": json.dumps(rest)}
            return {"method": verb, "url": path.format(**params), "headers": self.headers, **body}
        method = self.methods.get(operation, operation)
        document = {"jsonrpc": "2.0", "id": 7, "method": method, "params": params}
        content = json.dumps(document)  # in ASCII, so that it can hold half a surrogate pair
        return {"method": "POST", "url": "/", "headers": self.headers, "content": content}


ZERO_THREE: Final = Tongue(
    "0.3",
    dict(
        zip(
            _NAMES,
            ("message/send", "message/stream", "tasks/get", "tasks/cancel", "tasks/resubscribe"),
            strict=True,
        )
    ),
    {"blocking": False},
)
ONE: Final = Tongue(
    "1.0",
    dict(
        zip(
            _NAMES,
            ("SendMessage", "SendStreamingMessage", "GetTask", "CancelTask", "SubscribeToTask"),
            strict=True,
        )
    ),
    {"returnImmediately": True},
)
HTTP_JSON: Final = Tongue("1.0", None, {"returnImmediately": True})

TONGUES: Final = {"0.3": ZERO_THREE, "1.0": ONE, "HTTP+JSON": HTTP_JSON}


def documents(answer: httpx.Response) -> list[Any]:
    """Return an answer's document, or those of its events."""
    lines = [line for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line[6:]) for line in lines] or [answer.json()]


def content_of(document: Any) -> Any:  # noqa: ANN401 - JSON
    """Return what a document is about: a task, or an update of one."""
    result = document.get("result", document)
    kinds = ("task", "statusUpdate", "artifactUpdate")
    return next((result[kind] for kind in kinds if kind in result), result)


def state_of(document: Any) -> str | None:  # noqa: ANN401 - JSON
    """Return the state that a document reports, in one word; None: it is about an artifact."""
    status = content_of(document).get("status")
    return None if status is None else status["state"].lower().removeprefix("task_state_")


def said_in(document: Any) -> str:  # noqa: ANN401 - JSON
    """Return the text of a task's artifacts, or of an artifact's update."""
    content = content_of(document)
    artifacts = content.get("artifacts", [content["artifact"]] if "artifact" in content else [])
    return "".join(part["text"] for artifact in artifacts for part in artifact["parts"])


def code_of(document: Any) -> int | None:  # noqa: ANN401 - JSON
    """Return the code of an error, as JSON-RPC has it; None: it is none."""
    error = document.get("error")
    if error is None or "status" not in error:
        return None if error is None else int(error["code"])
    return JSON_RPC_ERROR_CODE_MAP[A2A_REASON_TO_ERROR[error["details"][0]["reason"]]]
