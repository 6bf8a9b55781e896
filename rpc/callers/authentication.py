"""From an `authorization` header to the caller, by the tokens and keys that are on the disk now."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakValueDictionary

from rpc.callers.jwt_tokens import SignedTokenRules, SignedTokens
from rpc.callers.limits import UNLIMITED, Limits, Usage
from rpc.callers.principal import Principal
from rpc.callers.reloaded_files import FromFiles
from rpc.callers.token_file import digest_of, read_tokens

LOOK_SECONDS = 1.0
"""How long a token that was taken out of its file is still let in, at the most; a look costs microseconds."""
BEARER = "bearer "


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
    """Knows the callers by their tokens; reads each file again when it changes.

    A file is taken whole or not at all, and each for itself: a key that cannot be used does not
    keep a token alive that was taken out of the other file.
    """

    def __init__(self, rules: AuthenticationRules) -> None:
        """Read the files.

        Raises:
            ValueError: one of them cannot be used; the text is one sentence, without anything secret.

        """
        self._next_look = time.monotonic() + LOOK_SECONDS
        self._usages: WeakValueDictionary[str, Usage] = WeakValueDictionary()
        self._opaque = _opaque_tokens(rules, self._counted)
        self._signed = _signed_tokens(rules, self._counted)

    @property
    def is_stale(self) -> bool:
        """Whether a file was changed into one that cannot be used; what was read before still holds."""
        return any(one is not None and one.is_stale for one in (self._opaque, self._signed))

    def principal(self, authorization: str) -> Principal | None:
        """Return who sent a header; None for a token that is wrong, whatever is wrong with it."""
        self._look()
        if authorization[: len(BEARER)].lower() != BEARER:
            return None
        token = authorization[len(BEARER) :].strip()
        known = self._opaque.current.get(digest_of(token)) if self._opaque is not None else None
        if known is None and self._signed is not None:
            known = self._signed.current.principal(token)
        return known

    def _counted(self, principal: Principal) -> Principal:
        """Join it to what all tokens of its name use, which is kept while any of them is known."""
        return replace(principal, usage=self._usages.setdefault(principal.name, principal.usage))

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        for one in (self._opaque, self._signed):
            if one is not None:
                one.refresh()


Counted = Callable[[Principal], Principal]


def _opaque_tokens(rules: AuthenticationRules, counted: Counted) -> FromFiles[dict[str, Principal]] | None:
    """Return who has which token of the file, by its digest."""
    file = rules.token_file
    if file is None:
        return None
    return FromFiles(
        [file], lambda: {digest: counted(one) for digest, one in read_tokens(file, rules.limits).items()}
    )


def _signed_tokens(rules: AuthenticationRules, counted: Counted) -> FromFiles[SignedTokens] | None:
    signed = rules.signed
    if signed is None:
        return None
    return FromFiles([signed.key], lambda: SignedTokens(signed, rules.limits, counted))
