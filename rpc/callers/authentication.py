"""Authenticates callers by their `authorization` header, with the tokens and keys that are on disk now."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from process.reloaded_files import ReloadedFiles
from rpc.callers.limits import UNLIMITED, Limits, Usage
from rpc.callers.principal import Principal
from rpc.callers.signed_token_rules import SignedTokenRules
from rpc.callers.token_file import digest_of, read_tokens
from rpc.callers.watch_tokens import WATCH_TOKEN_PREFIX, WatchTokens

if TYPE_CHECKING:  # it imports jwt and cryptography, which only a server with such tokens needs
    from rpc.callers.jwt_tokens import SignedTokens

REFRESH_SECONDS = 1.0
"""How long a token that was removed from its file may still be accepted; a check costs microseconds."""
BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class AuthenticationRules:
    """Where the accepted tokens are defined. Without either, everybody is accepted."""

    token_file: Path | None = None
    signed: SignedTokenRules | None = None
    limits: Limits = UNLIMITED
    """The limits of callers for whom the token file has none."""
    watch_tokens: WatchTokens | None = None
    """Verifies watch tokens, which are accepted besides the others."""


class Authenticator:
    """Knows the callers by their tokens; reads each file again when it changes.

    A file is used whole or not at all, and independently of the other: a broken key does not keep a
    token valid that was removed from the token file.

    Args:
        rules: where the accepted tokens are defined.

    Raises:
        ValueError: a file cannot be used; the text is one sentence without secrets.

    """

    def __init__(self, rules: AuthenticationRules) -> None:
        self._next_refresh = time.monotonic() + REFRESH_SECONDS
        self._usages: WeakValueDictionary[str, Usage] = WeakValueDictionary()
        self._limits = rules.limits
        self._watch_tokens = rules.watch_tokens
        self._opaque, self._signed = self._opaque_tokens(rules.token_file), self._signed_tokens(rules.signed)

    @property
    def is_stale(self) -> bool:
        """Whether a file was replaced by one that cannot be used; the old content stays in use."""
        return any(one is not None and one.is_stale for one in self._reloaded)

    def principal(self, authorization: str) -> Principal | None:
        """Authenticate a caller.

        Args:
            authorization: the header.

        Returns:
            The caller; None if the header does not have a valid token.

        Raises:
            Refusal: TOKEN_EXPIRED, for an expired watch token.

        """
        self._refresh()
        if authorization[: len(BEARER)].lower() != BEARER:
            return None
        token = authorization[len(BEARER) :].strip()
        digest = digest_of(token)
        if token.startswith(WATCH_TOKEN_PREFIX):
            if self._watch_tokens is None:
                return None
            return self._watch_tokens.principal(token, digest, self._with_shared_usage)
        known = self._opaque.current.get(digest) if self._opaque is not None else None
        if known is None and self._signed is not None:
            known = self._signed.current.principal(token, digest)
        return known

    @property
    def _reloaded(self) -> tuple[ReloadedFiles[Any] | WatchTokens | None, ...]:
        return self._opaque, self._signed, self._watch_tokens

    def _with_shared_usage(self, principal: Principal) -> Principal:
        """Let all tokens of a name share one usage, which lives as long as one of them is known."""
        return replace(principal, usage=self._usages.setdefault(principal.name, principal.usage))

    def _refresh(self) -> None:
        now = time.monotonic()
        if now < self._next_refresh:
            return
        self._next_refresh = now + REFRESH_SECONDS
        for one in self._reloaded:
            if one is not None:
                one.refresh()

    def _opaque_tokens(self, file: Path | None) -> ReloadedFiles[dict[str, Principal]] | None:
        """Return the callers in the token file, by the digests of their tokens."""
        if file is None:
            return None
        return ReloadedFiles([file], lambda: self._callers_in(file))

    def _callers_in(self, file: Path) -> dict[str, Principal]:
        callers = read_tokens(file, self._limits)
        return {digest: self._with_shared_usage(principal) for digest, principal in callers.items()}

    def _signed_tokens(self, rules: SignedTokenRules | None) -> "ReloadedFiles[SignedTokens] | None":
        if rules is None:
            return None
        from rpc.callers.jwt_tokens import SignedTokens  # noqa: PLC0415  # see above

        return ReloadedFiles([rules.key], lambda: SignedTokens(rules, self._limits, self._with_shared_usage))
