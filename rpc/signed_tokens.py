"""Tokens that an identity provider signed (JWT): one pinned algorithm, audience and issuer, and an expiry."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ValidationError, field_validator

from rpc.principal import Principal, Role
from rpc.token_file import BatchPrefix, Name
from rpc.usage import Limits
from rpc.watched_files import read

Algorithm = Literal["RS256", "PS256", "ES256", "EdDSA"]
"""With a public key only: what can verify a token cannot make one."""

LEEWAY_SECONDS = 5
"""How far the clocks of the issuer and of this machine may differ."""


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
    """Verifies signed tokens with the key that is on the disk now."""

    def __init__(self, rules: SignedTokenRules, limits: Limits) -> None:
        """Read the key.

        Raises:
            ValueError: it cannot be read, or is none for the algorithm.

        """
        self._rules = rules
        self._limits = limits
        self._algorithm = jwt.get_algorithm_by_name(rules.algorithm)
        self.read_key()

    def read_key(self) -> None:
        """Read the key anew; raises ValueError, and keeps the old one, if it is none."""
        self._key = self._prepared(read(self._rules.key))

    def principal(self, token: str) -> tuple[Principal, float] | None:
        """Return whose token it is and when it expires (Unix time); None if it is not to be believed."""
        try:
            claims = _Claims.model_validate(
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
        principal = Principal(claims.sub, claims.roles, claims.batch_prefix, self._limits)
        return principal, claims.exp + LEEWAY_SECONDS

    def _prepared(self, pem: bytes) -> Any:  # noqa: ANN401  # of the algorithm
        try:
            load_pem_public_key(pem)  # a private key here would be a secret where none is needed
            key: Any = self._algorithm.prepare_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
            raise ValueError(f"{self._rules.key} holds no public key for {self._rules.algorithm}") from None
        return key
