"""What looks like a secret is recognised, and ordinary values of headers aren't."""

import base64
import random
import string
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurorasoc.core.secret_patterns import is_a_vendors_key, looks_secret, names_a_key

SEEDS: Final = st.integers(0, 2**32)

SECRETS: Final = (
    "sk-ant-api03-abc",
    "Bearer abcdef",
    "Basic dXNlcjpwYXNz",
    "AIzaSyA-1234",
    "hf_abcdef",
    "eyJhbGciOiJIUzI1NiJ9.e30.x",
    "AKIAIOSFODNN7EXAMPLE",
    "hvs.CAESI",
    "https://user:password@proxy.example",
    "https://x.blob.core.windows.net/c?sv=2024&sig=abc",
    "tenant=soc; id=0123456789abcdef0123456789abcdef",
    "Luot94nsRKS/DfgBaq1I4M0PO0ty6a2xMiEneLxbAXg=",
)
ORDINARY: Final = (
    "org-aB3dE5fG7hI9jK1lM3nO5pQ7",
    "proj_aB3dE5fG7hI9jK1lM3nO5pQ7",
    "550e8400-e29b-41d4-a716-446655440000",
    "https://soc.example.org/agents/tier-2",
    "AuroraSOC Agents (Tier 2), Europe West 1",
    "fine-grained-tool-streaming-2025-05-14,output-128k-2025-02-19",
    "SocPlatform-Agents-Tier2-Europe-Production",
    "123456789012345678901234",
    "granite-soc-specialist",
    "application/vnd.example.v2+json; charset=utf-8",
    "true",
)


@pytest.mark.parametrize("text", SECRETS)
def test_a_known_form_of_secret_is_recognised(text: str) -> None:
    """Vendors' keys, JWTs, credentials in URLs, hexadecimal and Base64 keys."""
    assert looks_secret(text)


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_value_is_none(text: str) -> None:
    """Ids, URLs, names, versions and dates."""
    assert not looks_secret(text)


@given(SEEDS, st.integers(16, 64))
def test_random_bytes_are_recognised_in_hexadecimal(seed: int, length: int) -> None:
    """With letters and digits, as all but one in a million are."""
    text = random.Random(seed).randbytes(length).hex()  # noqa: S311 - a seed that can be repeated
    assert looks_secret(text) or text.isdigit() or text.isalpha()


@given(SEEDS, st.integers(32, 64))
def test_random_letters_and_digits_are_recognised(seed: int, length: int) -> None:
    """Whatever vendor's they are."""
    source = random.Random(seed)  # noqa: S311 - as above
    text = "".join(source.choices(string.ascii_letters + string.digits, k=length)) + "7"
    assert looks_secret(f"key {text}")


def test_random_bytes_are_recognised_in_base64() -> None:
    """In both alphabets, in all but one of a thousand."""
    source = random.Random(1)  # noqa: S311 - as above
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        texts = [encode(source.randbytes(32)).decode() for _ in range(1000)]
        assert sum(map(looks_secret, texts)) >= len(texts) - 1


@pytest.mark.parametrize("name", ["key-rotation", "api-key-auditor", "vllm-2", "eu-azure-2026-11"])
def test_a_name_of_words_is_no_key(name: str) -> None:
    """Whatever its words are."""
    assert not names_a_key(name)


@pytest.mark.parametrize("name", ["sk-proj-0a1b2c3d4e5f6071829", "key-0a1b2c3d4e5f"])
def test_a_key_in_the_place_of_a_name_is_one(name: str) -> None:
    """It has digits besides."""
    assert names_a_key(name)


@pytest.mark.parametrize(
    "model",
    [
        "ft:gpt-4o-2024-08-06:soc:triage:9fKx2LqZ",
        "accounts/soc/models/qwen2p5-coder-32b-instruct-128k",
        "hf_finetunes/granite-soc-7b",
        "key-value-memory-7b-instruct",
        "Qwen/Qwen3-235B-A22B-Instruct-2507",
        "3f9a0c1b2d4e5f60718293a4b5c6d7e8",
    ],
)
def test_a_models_name_is_no_key(model: str) -> None:
    """Also one that ends in random text, or begins as keys do."""
    assert not is_a_vendors_key(model)


@pytest.mark.parametrize("key", ["sk-proj-0a1b2c3d4e5f6071829", "gsk_4fQ9xK2mZ7pL1vT8wR3yB6nC"])
def test_a_key_in_the_place_of_a_model_is_one(key: str) -> None:
    """It begins as its vendor's keys do, and goes on at random."""
    assert is_a_vendors_key(key)
