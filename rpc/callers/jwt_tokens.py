"""Tokens that an identity provider signed (JWT): one pinned algorithm, audience and issuer, and an expiry."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ValidationError, field_validator

from rpc.callers.limits import Limits
from rpc.callers.principal import Principal, Role
from rpc.callers.reloaded_files import read
from rpc.callers.token_file import BatchPrefix, Name, digest_of

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
"""With a public key only: what can verify a token cannot make one."""

LEEWAY_SECONDS = 5
"""How far the clocks of the issuer and of this machine may differ."""
REMEMBERED_MAX = 10_000
"""Tokens whose signatures are not verified again: callers of one server, several times over."""


@dataclass(frozen=True, slots=True)
class SignedTokenRules:
    """Which signed tokens are believed."""

    key: Path
    """The issuer's public key, PEM."""
    algorithm: Algorithm
    audience: str
    issuer: str


class _Claims(BaseModel):
    """What a token says; whatever else it says is not looked at."""

    sub: Name
    exp: float
    roles: frozenset[Role]
    batch_prefix: BatchPrefix = ""

    @field_validator("roles", mode="before")
    @classmethod
    def _known(cls, value: object) -> object:
        """Leave out the roles of other services."""
        known = {str(role) for role in Role}
        if not isinstance(value, list):
            return value
        return [role for role in value if isinstance(role, str) and role in known]


class SignedTokens:
    """Verifies signed tokens with one key; remembers by their digests those that were right."""

    def __init__(
        self, rules: SignedTokenRules, limits: Limits, counted: Callable[[Principal], Principal]
    ) -> None:
        """Read the key; `counted` joins a principal to what the other tokens of its name use.

        Raises:
            ValueError: it cannot be read, or is none for the algorithm.

        """
        self._rules = rules
        self._limits = limits
        self._counted = counted
        self._algorithm = jwt.get_algorithm_by_name(rules.algorithm)
        self._key = self._prepared(read(rules.key))
        self._remembered: dict[str, tuple[Principal, float]] = {}

    def principal(self, token: str) -> Principal | None:
        """Return whose token it is; None if it is not to be believed, or not any more."""
        digest = digest_of(token)
        principal, expiry = self._remembered.get(digest) or self._remember(digest, token)
        return principal if time.time() < expiry else None

    def _remember(self, digest: str, token: str) -> tuple[Principal | None, float]:
        claims = self._verified(token)
        if claims is None:
            return None, 0.0
        if len(self._remembered) >= REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]  # the oldest: it is verified again
        principal = Principal(claims.sub, claims.roles, claims.batch_prefix, self._limits)
        known = self._counted(principal), claims.exp + LEEWAY_SECONDS
        self._remembered[digest] = known
        return known

    def _verified(self, token: str) -> _Claims | None:
        try:
            return _Claims.model_validate(
                jwt.decode(
                    token,
                    self._key,
                    algorithms=[self._rules.algorithm],
                    audience=self._rules.audience,
                    issuer=self._rules.issuer,
                    leeway=LEEWAY_SECONDS,
                    options={"require": ["exp", "aud", "iss", "sub"]},
                )
            )
        except (jwt.PyJWTError, ValidationError, ValueError):
            return None

    def _prepared(self, pem: bytes) -> Any:
        try:
            load_pem_public_key(pem)  # a private key here would be a secret where none is needed
            key: Any = self._algorithm.prepare_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
            raise ValueError(f"{self._rules.key} holds no public key for {self._rules.algorithm}") from None
        return key
