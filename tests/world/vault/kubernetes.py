"""A Kubernetes API of one call: TokenReview, which Vault asks whether a pod's token is good.

Wire format: Kubernetes API reference, `authentication.k8s.io/v1` TokenReview, create.
"""

import asyncio
import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from tests.world.loopback import LOOPBACK, LoopbackServer
from tests.world.vendor.http1 import Answer, read_exchange

_REVIEWS: Final = "/apis/authentication.k8s.io/v1/tokenreviews"
_ISSUER: Final = "https://kubernetes.default.svc.cluster.local"


class KubernetesApi(LoopbackServer):
    """Issues service account tokens, and answers for those it issued and did not withdraw."""

    def __init__(self) -> None:
        """Make a signing key; `url` is valid inside the `with` block."""
        super().__init__()
        self.port = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._lock = threading.Lock()
        self._issued: dict[str, dict[str, Any]] = {}
        self._reviewed: list[str] = []

    @property
    def url(self) -> str:
        """What Vault's `kubernetes_host` is set to."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def reviewed(self) -> list[str]:
        """The tokens that were asked about, in order of arrival."""
        with self._lock:
            return list(self._reviewed)

    def issue(
        self, account: str, namespace: str = "default", *, lifetime: timedelta = timedelta(hours=1)
    ) -> str:
        """Sign a service account's token, as the kubelet projects it into a pod."""
        now = datetime.now(UTC)
        user = {"uid": str(uuid.uuid4()), "name": account}
        claims = {
            "aud": [_ISSUER],
            "exp": now + lifetime,
            "iat": now,
            "iss": _ISSUER,
            "kubernetes.io": {"namespace": namespace, "serviceaccount": user},
            "sub": f"system:serviceaccount:{namespace}:{account}",
        }
        token = jwt.encode(claims, self._key, algorithm="ES256")
        with self._lock:
            self._issued[token] = {"username": claims["sub"], "uid": user["uid"], "groups": []}
        return token

    def withdraw(self, token: str) -> None:
        """Answer from now on that `token` is not good, as after its account was deleted."""
        with self._lock:
            self._issued.pop(token, None)

    async def _open(self) -> None:
        self.port = await self._listen(self._serve)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while exchange := await read_exchange(reader, tls=False):
            answer = self._answer(exchange.method, exchange.path, exchange.body, exchange.headers)
            writer.write(answer.head() + answer.body)
            await writer.drain()

    def _answer(self, method: str, path: str, body: Any, headers: Any) -> Answer:  # noqa: ANN401
        if (method, path) != ("POST", _REVIEWS):
            return _failure(404, "NotFound")
        token = str(body["spec"]["token"])
        with self._lock:
            self._reviewed.append(token)
            user = self._issued.get(token)
            caller = self._issued.get(headers.get("authorization", "").removeprefix("Bearer "))
        if caller is None:
            return _failure(401, "Unauthorized")
        audiences = body["spec"].get("audiences", [_ISSUER])
        good = {"authenticated": True, "user": user, "audiences": audiences}
        bad = {"authenticated": False, "error": "[invalid bearer token]"}
        review = {"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1"}
        return Answer.of(review | {"spec": body["spec"], "status": good if user else bad}, 201)


def _failure(code: int, reason: str) -> Answer:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return Answer.of(status | {"message": reason, "reason": reason, "code": code}, code)
