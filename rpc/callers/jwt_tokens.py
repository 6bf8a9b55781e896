"""Tokens signed by an identity provider (JWT): one pinned algorithm, audience and issuer, and an expiry."""

import time
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, ValidationError, field_validator

from process.reloaded_files import read
from rpc.callers.limits import Limits
from rpc.callers.principal import BatchPrefix, CallerName, Principal, Role
from rpc.callers.signed_token_rules import LEEWAY_SECONDS, REMEMBERED_MAX, SignedTokenRules


class _Claims(BaseModel):
    """The claims that are used; others are ignored."""

    sub: CallerName
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
    """Verifies signed tokens with one key, and remembers the valid ones by their digests.

    Args:
        rules: which tokens are accepted.
        limits: the limits of callers with such a token.
        with_shared_usage: gives a principal the usage that all tokens of its name share.

    Raises:
        ValueError: the key cannot be read, or is not a public key for the algorithm.

    """

    def __init__(
        self, rules: SignedTokenRules, limits: Limits, with_shared_usage: Callable[[Principal], Principal]
    ) -> None:
        self._rules = rules
        self._limits = limits
        self._with_shared_usage = with_shared_usage
        self._algorithm = jwt.get_algorithm_by_name(rules.algorithm)
        self._key = self._prepared(read(rules.key))
        self._remembered: dict[str, tuple[Principal, float]] = {}

    def principal(self, token: str, digest: str) -> Principal | None:
        """Authenticate a caller.

        Args:
            token: the token.
            digest: its digest, under which it is remembered: the token itself is not kept.

        Returns:
            The caller; None if the token is not valid, or has expired.

        """
        principal, expiry = self._remembered.get(digest) or self._remember(digest, token)
        return principal if time.time() < expiry else None

    def _remember(self, digest: str, token: str) -> tuple[Principal | None, float]:
        claims = self._verified(token)
        if claims is None:
            return None, 0.0
        if len(self._remembered) >= REMEMBERED_MAX:
            del self._remembered[next(iter(self._remembered))]  # the oldest, which will be verified again
        principal = Principal(claims.sub, claims.roles, claims.batch_prefix, self._limits)
        known = self._with_shared_usage(principal), claims.exp + LEEWAY_SECONDS
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
            load_pem_public_key(pem)  # refuses a private key, a secret that is not needed here
            key: Any = self._algorithm.prepare_key(pem)
        except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
            raise ValueError(f"{self._rules.key} holds no public key for {self._rules.algorithm}") from None
        return key
