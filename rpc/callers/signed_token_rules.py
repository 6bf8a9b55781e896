"""Which signed tokens a server accepts. Only a server that accepts some imports what verifies them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
"""Only algorithms with a public key: a server that can verify a token must not be able to make one."""

LEEWAY_SECONDS = 5
"""How much the clocks of the issuer and of this machine may differ."""
REMEMBERED_MAX = 10_000
"""Tokens whose signatures need no second verification: several times the callers of one server."""


@dataclass(frozen=True, slots=True)
class SignedTokenRules:
    """Which signed tokens are accepted."""

    key: Path
    """The issuer's public key, PEM."""
    algorithm: Algorithm
    audience: str
    issuer: str
