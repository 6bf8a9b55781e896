"""Page tokens: a key comes back from its token, and any other text is refused."""

import base64
import json
from typing import Any

import pytest

from rpc.answers.page_tokens import NUMBER_MAX, TOKEN_CHARACTERS_MAX, decode_token, encode_token
from rpc.answers.refusal import Refusal


def refused(token: str, kind: type[Any] = int) -> bool:
    """Return whether a token of the listing is refused."""
    try:
        decode_token("List", [], token, kind)
    except Refusal as refusal:
        return refusal.reason == "INVALID_FIELD" and refusal.violations[0].field == "page_token"
    return False


def handmade(content: object) -> str:
    """Return a token with any content; FINGERPRINT in it becomes that of the listing."""
    genuine = encode_token("List", [], 1)
    fingerprint, _ = json.loads(base64.urlsafe_b64decode(genuine + "=" * (-len(genuine) % 4)))
    text = json.dumps(content).replace("FINGERPRINT", fingerprint)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize("key", [0, NUMBER_MAX, "!", '"' * 128, "\\" * 128])
def test_every_key_comes_back(key: int | str) -> None:
    """The smallest and the largest key, and the keys with the longest tokens."""
    token = encode_token("List", ["filter"], key)
    kind: Any = type(key)
    assert decode_token("List", ["filter"], token, kind) == key


def test_empty_token_asks_for_the_first_page() -> None:
    assert decode_token("List", [], "", int) is None


def test_token_is_valid_only_for_its_call_and_filters() -> None:
    assert refused(encode_token("Other", [], 1))
    assert refused(encode_token("List", ["filter"], 1))
    assert not refused(encode_token("List", [], 1))


@pytest.mark.parametrize("key", [-1, NUMBER_MAX + 1, True, False, 1.0, None, "1", [1]])
def test_handmade_token_with_an_impossible_number_is_refused(key: object) -> None:
    assert refused(handmade(["FINGERPRINT", key]))
    assert not refused(handmade(["FINGERPRINT", 1]))


@pytest.mark.parametrize("key", ["", "two words", "x" * 129, 1, None])
def test_handmade_token_with_an_impossible_id_is_refused(key: object) -> None:
    assert refused(handmade(["FINGERPRINT", key]), str)
    assert not refused(handmade(["FINGERPRINT", "id"]), str)


@pytest.mark.parametrize("content", [7, None, True, [], ["FINGERPRINT"], ["FINGERPRINT", 1, 1], {"a": 1}])
def test_token_that_is_not_a_pair_is_refused(content: object) -> None:
    assert refused(handmade(content))


@pytest.mark.parametrize("token", ["!", "a", "e30", "ä"])
def test_text_that_is_not_a_token_is_refused(token: str) -> None:
    """Such texts are not base64, too short for base64, an empty object, or not ASCII."""
    assert refused(token)


def test_text_that_is_too_long_is_refused() -> None:
    """It may be nested too deeply for JSON, or be a valid token with padding."""
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    padded = encode_token("List", [], 7) + "=" * TOKEN_CHARACTERS_MAX
    assert refused(nested)
    assert refused(padded)
