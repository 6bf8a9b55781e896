"""Watch tokens: short-lived tokens for one batch, signed by the servers with a key that they share."""

import secrets
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from process.reloaded_files import ReloadedFiles, read
from rpc.answers.refusal import Refusal
from rpc.callers.limits import Limits
from rpc.callers.principal import Principal, WatchGrant
from rpc.callers.signed_token_rules import LEEWAY_SECONDS, REMEMBERED_MAX

WATCH_TOKEN_PREFIX = "bpw_"  # noqa: S105  # by which servers and scanners recognise a watch token
KEYS_MAX = 2
"""The key that signs, and another one that verifies while keys are replaced."""
KEY_CHARACTERS_MIN = 32
"""HS256 needs a key of at least 256 bits (RFC 7518, 3.2)."""
TOKEN_ID_BYTES = 8
"""Each token is a caller of its own, even if two are created in the same second."""
NAME_DIGITS = 16
_ALGORITHM = "HS256"
_CLAIMS = ["batch_id", "exp"]


@dataclass(frozen=True, slots=True)
class WatchToken:
    """A new token."""

    text: str
    expiry: int
    """In Unix time."""


class WatchTokens:
    """Creates and verifies watch tokens with the keys that are on disk now.

    Args:
        key_file: the keys, one a line: the first signs, all verify.
        methods: the methods (/package.Service/Method) that a token may call.
        limits: the limits of each token.

    Raises:
        ValueError: the file cannot be used; the text is one sentence without secrets.

    """

    def __init__(self, key_file: Path, methods: frozenset[str], limits: Limits) -> None:
        self._methods = methods
        self._limits = limits
        self._keys = ReloadedFiles([key_file], lambda: _Keys(_keys_in(key_file)))

    @property
    def is_stale(self) -> bool:
        """Whether the file was replaced by one that cannot be used; the old keys stay in use."""
        return self._keys.is_stale

    def refresh(self) -> None:
        """Read the file again if it was replaced."""
        self._keys.refresh()

    def create(self, batch_id: str, seconds: float) -> WatchToken:
        """Create a token.

        Args:
            batch_id: the batch that it is for.
            seconds: how long it is valid.

        Returns:
            The token.

        """
        import jwt  # noqa: PLC0415  # only a server with keys needs it

        expiry = int(time.time() + seconds)
        claims = {"batch_id": batch_id, "exp": expiry, "jti": secrets.token_urlsafe(TOKEN_ID_BYTES)}
        key = self._keys.current.keys[0]
        return WatchToken(WATCH_TOKEN_PREFIX + jwt.encode(claims, key, _ALGORITHM), expiry)

    def principal(
        self, token: str, digest: str, with_shared_usage: Callable[[Principal], Principal]
    ) -> Principal | None:
        """Authenticate a caller.

        Args:
            token: the token.
            digest: its digest, under which it is remembered: the token itself is not kept.
            with_shared_usage: gives a principal the usage that it had under other keys.

        Returns:
            The caller; None if the token is not valid.

        Raises:
            Refusal: TOKEN_EXPIRED. Only a token that was valid gets this answer.

        """
        keys = self._keys.current
        known = keys.remembered.get(digest)
        if known is None:
            claims = keys.verified(token.removeprefix(WATCH_TOKEN_PREFIX))
            if claims is None:
                return None
            principal = with_shared_usage(self._principal(claims["batch_id"], digest))
            known = keys.remember(digest, principal, claims["exp"])
        principal, expiry = known
        if time.time() >= expiry + LEEWAY_SECONDS:
            raise _expired()
        return principal

    def _principal(self, batch_id: str, digest: str) -> Principal:
        name = f"watch-token-{digest[:NAME_DIGITS]}"
        grant = WatchGrant(batch_id, self._methods)
        return Principal(name, frozenset(), limits=self._limits, watch_grant=grant)


class _Keys:
    """Keys, and the tokens that they have verified."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self.keys = keys
        self.remembered: dict[str, tuple[Principal, int]] = {}

    def verified(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token, which may have expired; None if no key has signed it."""
        import jwt  # noqa: PLC0415  # only a server with keys needs it

        for key in self.keys:
            try:
                return jwt.decode(
                    token, key, algorithms=[_ALGORITHM], options={"require": _CLAIMS, "verify_exp": False}
                )
            except (jwt.PyJWTError, ValueError):
                continue
        return None

    def remember(self, digest: str, principal: Principal, expiry: int) -> tuple[Principal, int]:
        if len(self.remembered) >= REMEMBERED_MAX:
            del self.remembered[next(iter(self.remembered))]  # the oldest, which will be verified again
        known = self.remembered[digest] = principal, expiry
        return known


def _keys_in(path: Path) -> tuple[str, ...]:
    try:
        lines = read(path).decode("ascii").split("\n")
        mode = path.stat().st_mode
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not ASCII") from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ValueError(f"{path} is open to every user of this machine: run chmod o-rwx {path}")
    keys = tuple(filter(None, map(str.strip, lines)))
    if not 1 <= len(keys) <= KEYS_MAX:
        raise ValueError(f"{path} has {len(keys)} keys and must have 1 or {KEYS_MAX}, one a line")
    if any(len(key) < KEY_CHARACTERS_MIN or not key.isprintable() for key in keys):
        raise ValueError(f"{path} has a key of less than {KEY_CHARACTERS_MIN} printable characters")
    return keys


def _expired() -> Refusal:
    message = "this watch token has expired: ask the application that gave it for another"
    return Refusal(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED", message)
