"""Page tokens (AIP-158): opaque to clients, and valid only for the listing they came from."""

import base64
import binascii
import hashlib
import json
from typing import TypeVar

from rpc.answers.fields import IDENTIFIER
from rpc.answers.refusal import Violation, invalid_fields

TOKEN_CHARACTERS_MAX = 512
"""A token contains a fingerprint and a key of at most 128 characters, some of them escaped: 384 characters in
base64. A longer text is not one of our tokens and is not decoded."""

NUMBER_MAX = 2**63 - 1
"""The largest key of a row. Databases refuse a larger number, each in its own way."""

_FINGERPRINT_BYTES = 8

Key = TypeVar("Key", int, str)


def encode_token(call: str, filters: object, key: int | str) -> str:
    """Make the token of the next page.

    Args:
        call: the name of the RPC.
        filters: a JSON-like value of everything that must stay the same from page to page.
        key: the key after which the page begins.

    Returns:
        The token, in unpadded URL-safe base64.

    """
    text = json.dumps([_fingerprint(call, filters), key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def next_token(call: str, filters: object, key: int | str | None) -> str:
    """Make the token of the next page as `encode_token` does; empty if there is no next page."""
    return "" if key is None else encode_token(call, filters, key)


def decode_token(
    call: str, filters: object, token: str, kind: type[Key], field: str = "page_token"
) -> Key | None:
    """Read the key in a token.

    Args:
        call: the name of the RPC.
        filters: as for `encode_token`.
        token: the token of the request.
        kind: the type of the keys of this listing.
        field: the field of the request that has the token.

    Returns:
        The key after which the page begins; None for an empty token, which asks for the first page.

    Raises:
        Refusal: INVALID_FIELD for a text that is not a token, for a token of another call or other filters,
            and for a handmade token with a key that no row can have: tokens are not secret.

    """
    if not token:
        return None
    key = _key_of(_fingerprint(call, filters), token)
    if not isinstance(key, kind) or not _is_possible(key):
        raise invalid_fields([Violation(field, "is not a token of this call with these filters")])
    return key


def _key_of(fingerprint: str, token: str) -> object:
    if len(token) > TOKEN_CHARACTERS_MAX:
        return None
    try:
        padded = token + "=" * (-len(token) % 4)
        found, key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        return None
    return key if found == fingerprint else None


def _is_possible(key: object) -> bool:
    """Return whether a row can have the key. JSON's true is not a number."""
    if isinstance(key, str):
        return IDENTIFIER.fullmatch(key) is not None
    return type(key) is int and 0 <= key <= NUMBER_MAX


def _fingerprint(call: str, filters: object) -> str:
    text = json.dumps([call, filters], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_FINGERPRINT_BYTES).hexdigest()
