"""Page tokens: what was given comes back, and nothing else is a token."""

import base64
from typing import Any

import pytest

from rpc.answers.page_tokens import NUMBER_MAX, TOKEN_CHARACTERS_MAX, decode_token, encode_token
from rpc.answers.refusal import Refusal


@pytest.mark.parametrize("key", [0, NUMBER_MAX, "!", '"' * 128, "\\" * 128])
def test_every_key_comes_back(key: int | str) -> None:
    """The smallest and the largest key, and the one that takes the most room."""
    token = encode_token("List", ["filter"], key)
    kind: Any = type(key)
    assert decode_token("List", ["filter"], token, kind) == key


def test_what_is_longer_than_a_token_is_none() -> None:
    """It is refused as any other text, however it is made: nested beyond what JSON is read to, or padded."""
    nested = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    padded = encode_token("List", [], 7) + "=" * TOKEN_CHARACTERS_MAX
    for token in (nested, padded):
        with pytest.raises(Refusal) as caught:
            decode_token("List", [], token, int)
        assert caught.value.reason == "INVALID_FIELD"
