"""Page tokens (AIP-158): opaque to clients, and good only for the call they came from."""

import base64
import binascii
import hashlib
import json
from typing import TypeVar

from rpc.answers.fields import IDENTIFIER
from rpc.answers.refusal import Violation, invalid_fields

TOKEN_CHARACTERS_MAX = 512
"""A token holds a fingerprint and one key of at most 128 characters, some of them escaped: 384 in base64.
Anything longer is not ours, and is not decoded."""

NUMBER_MAX = 2**63 - 1
"""A row's key; a database refuses a greater number, each in its own way."""

_FINGERPRINT_BYTES = 8

Key = TypeVar("Key", int, str)


def encode_token(call: str, filters: object, key: int | str) -> str:
    """Return the token of the page after `key` in a listing.

    `call` names the RPC, `filters` is whatever JSON-like value must stay the same from page to page.
    """
    text = json.dumps([_fingerprint(call, filters), key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_token(call: str, filters: object, token: str, kind: type[Key]) -> Key | None:
    """Return the key a token holds, None for the first page.

    Raises:
        Refusal: INVALID_FIELD for a token of another call, of other filters, or of no call at all, and for
            one made by hand around a key that no row can have: a token is no secret.

    """
    if not token:
        return None
    key = _key_of(_fingerprint(call, filters), token)
    if not isinstance(key, kind) or not _is_possible(key):
        raise invalid_fields([Violation("page_token", "is not a token of this call with these filters")])
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
    """Whether a row may have the key: a number that is one (JSON's true is not), or an identifier."""
    if isinstance(key, str):
        return IDENTIFIER.fullmatch(key) is not None
    return type(key) is int and 0 <= key <= NUMBER_MAX


def _fingerprint(call: str, filters: object) -> str:
    text = json.dumps([call, filters], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_FINGERPRINT_BYTES).hexdigest()
