"""From an `authorization` header to the caller: looked up once, remembered for as long as it is valid."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from rpc.principal import Principal
from rpc.signed_tokens import SignedTokenRules, SignedTokens
from rpc.token_file import digest_of, read_tokens
from rpc.usage import UNLIMITED, Limits, Usage
from rpc.watched_files import WatchedFiles

LOOK_SECONDS = 1.0
"""How long a token that was taken out of its file is still let in, at the most; a look costs microseconds."""
REMEMBERED_MAX = 10_000
"""Callers of one server, several times over; some 10 MB with the longest tokens that metadata can carry."""
BEARER = "bearer "

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AuthenticationRules:
    """Where it is written who is let in; nothing written: anyone."""

    token_file: Path | None = None
    signed: SignedTokenRules | None = None
    limits: Limits = UNLIMITED
    """For callers of which the file of tokens says nothing else."""

    @property
    def ask_for_tokens(self) -> bool:
        """Whether callers need a token."""
        return self.token_file is not None or self.signed is not None


class Authenticator:
    """Knows the callers by their tokens; reads the files again when they change."""

    def __init__(self, rules: AuthenticationRules, *, now: Callable[[], float] = time.time) -> None:
        """Read the files.

        Raises:
            ValueError: one of them cannot be used; the text is one sentence, without anything secret.

        """
        self._rules = rules
        self._now = now
        self._tokens: dict[str, Principal] = {}
        self._signed = SignedTokens(rules.signed, rules.limits) if rules.signed is not None else None
        self._remembered: dict[str, tuple[Principal, float]] = {}
        self._usages: dict[str, Usage] = {}
        self._watched = WatchedFiles(self._paths())
        self._next_look = 0.0
        self.is_stale = False
        """Whether a file was changed into one that cannot be used; what was read before still holds."""
        self._read()

    def principal(self, authorization: str) -> Principal | None:
        """Return who sent a header; None for a token that is wrong, whatever is wrong with it."""
        now = self._now()
        if now >= self._next_look:
            self._look(now)
        known = self._remembered.get(authorization)
        if known is None or known[1] <= now:
            known = self._verified(authorization)
        return known[0] if known is not None and known[1] > now else None

    def _verified(self, authorization: str) -> tuple[Principal, float] | None:
        if authorization[: len(BEARER)].lower() != BEARER:
            return None
        token = authorization[len(BEARER) :].strip()
        principal = self._tokens.get(digest_of(token))
        found = (principal, float("inf")) if principal is not None else self._of_signed(token)
        if found is None:
            return None
        if len(self._remembered) >= REMEMBERED_MAX:
            self._remembered.clear()  # all are looked up again: rare, and cheaper than an order of use
        shared = replace(found[0], usage=self._usage_of(found[0].name)), found[1]
        self._remembered[authorization] = shared
        return shared

    def _of_signed(self, token: str) -> tuple[Principal, float] | None:
        return self._signed.principal(token) if self._signed is not None else None

    def _usage_of(self, name: str) -> Usage:
        if len(self._usages) >= REMEMBERED_MAX:
            self._usages = {one: usage for one, usage in self._usages.items() if not usage.is_idle}
        return self._usages.setdefault(name, Usage())

    def _look(self, now: float) -> None:
        self._next_look = now + LOOK_SECONDS
        if not self._watched.have_changed() and not self.is_stale:
            return
        try:
            self._read()
        except ValueError as error:
            self.is_stale = True
            _log.error("the new tokens or keys cannot be used", reason=str(error))  # expected
            return
        self.is_stale = False
        _log.info("tokens and keys read again", tokens=len(self._tokens))

    def _read(self) -> None:
        self._remembered.clear()
        if self._rules.token_file is not None:
            self._tokens = read_tokens(self._rules.token_file, self._rules.limits)
        if self._signed is not None:
            self._signed.read_key()

    def _paths(self) -> Iterator[Path]:
        if self._rules.token_file is not None:
            yield self._rules.token_file
        if self._rules.signed is not None:
            yield self._rules.signed.key
