"""Examples that several unit tests share: seeds, keys, settings, snapshots."""

import asyncio
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr
from starlette.requests import Request

from aurorasoc.config.settings import Settings, load_settings
from aurorasoc.config.snapshot import CallLimits, Credential, SecretStoreStatus, Snapshot
from aurorasoc.config.vocabulary import ServingBackend
from aurorasoc.core.keyring import Keyring
from aurorasoc.core.secret_store import StoreReading
from aurorasoc.granite import NOT_NEEDED, ModelReference
from aurorasoc.granite.base_url import origin_of
from aurorasoc.granite.catalog import CATALOG
from aurorasoc.llm.adoption.compose import compose
from aurorasoc.llm.adoption.stored import StoredConfig
from aurorasoc.llm.changes.requests import ConfigRequest, PolicyRequest

JWT_SECRET: Final = "jwt-secret-6b1f0c9d2e8a4735-of-the-unit-tests-long-enough-for-hs512-too"
SEED: Final = "seed-one-93ac51e7b2d84f06-of-the-unit-tests"
OTHER_SEED: Final = "seed-two-0f7d62c8a91be435-of-the-unit-tests"
# Their ends stand in no number, hash or digest: tests look for them in what is shown.
API_KEY: Final = "sk-unit-5e0c7a9b1d3f-wxyz"
OTHER_API_KEY: Final = "sk-unit-ffeeddccbbaa-pqrs"

AMBIENT_PREFIXES: Final = (
    "ANTHROPIC_",
    "AURORA_",
    "DEEPSEEK_",
    "GEMINI_",
    "JWT_",
    "LLM_",
    "OLLAMA_",
    "OPENAI_",
    "VAULT_",
    "VLLM_",
)


Credentials = Mapping[ServingBackend, Credential] | Mapping[str, Credential]


def keyring(*seeds: str) -> Keyring:
    """Make a keyring; the first seed seals."""
    return Keyring([SecretStr(seed) for seed in seeds or (SEED,)])


def settings(state_dir: Path, /, **variables: str) -> Settings:
    """Read settings from an environment that holds these variables and nothing else of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AURORA_STATE_DIR", str(state_dir))
        patch.setenv("JWT_SECRET_KEY", JWT_SECRET)
        for name, value in variables.items():
            patch.setenv(name, value)
        return load_settings()


def patient_request() -> Request:
    """Return a request that has been read to its end, and whose caller waits."""

    async def receive() -> MutableMapping[str, Any]:
        await asyncio.Event().wait()
        return {}

    return Request({"type": "http", "headers": []}, receive)


def reading(credentials: Mapping[str, Credential] | None = None) -> StoreReading:
    """Return what the database store answers when it holds these credentials."""
    return StoreReading(credentials or {}, SecretStoreStatus("database", "ok", None, None))


def stored_key(key: str = API_KEY, *, origin: str) -> Credential:
    """Return a usable stored key, bound to an origin."""
    return Credential(
        state="usable",
        source="database",
        origin=origin,
        api_key=SecretStr(key),
        last4=key[-4:],
        tag=keyring().digest(key.encode()),
    )


def snapshot(
    boot: Settings,
    stored: StoredConfig | None = None,
    credentials: Credentials | None = None,
    overrides: Mapping[ServingBackend, tuple[str, ...]] | None = None,
) -> Snapshot:
    """Compose a snapshot; `overrides` are the ambient variables of each provider."""
    ambient = overrides or {}
    return compose(
        boot,
        stored or StoredConfig(),
        reading({str(name): key for name, key in (credentials or {}).items()}),
        digest=keyring().digest,
        ambient=lambda provider: ambient.get(provider, ()),
    )


def reference(base_url: str = "http://localhost:8000/v1") -> ModelReference:
    """Make a reference to a model named `m` that vLLM serves."""
    limits = CallLimits(timeout=60.0, max_retries=0, max_concurrency=None)
    origin = "http://localhost:8000"
    kind = ServingBackend.VLLM
    return ModelReference(kind.value, kind, "openai", "m", base_url, origin, NOT_NEEDED, limits)


def config_request(provider: str, /, **fields: Any) -> ConfigRequest:
    """Make the body of `PUT /config`, by the rules of REST."""
    return ConfigRequest.model_validate({"provider": provider, **fields})


def policy_request(**fields: Any) -> PolicyRequest:
    """Make the body of `PUT /policy`, by the rules of REST."""
    return PolicyRequest.model_validate(fields)


def reference_at(provider: str, model: str = "m", base_url: str | None = None) -> ModelReference:
    """Make a reference to a provider's model, with a key, at its usual address or another."""
    spec = CATALOG[ServingBackend(provider)]
    address = base_url or spec.default_base_url
    limits = CallLimits(timeout=10.0, max_retries=0, max_concurrency=None)
    key, origin = SecretStr(API_KEY), origin_of(address)
    name, kind = spec.provider.value, spec.provider
    return ModelReference(name, kind, spec.prefix, model, address, origin, key, limits)


class Stopwatch:
    """A clock whose seconds pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds

    def now_us(self) -> int:
        """Return the time of day that goes with them."""
        return 1_800_000_000_000_000 + round(self.seconds * 1e6)
