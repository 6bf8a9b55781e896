"""Which watch tokens are accepted, for how long, and after their keys were replaced."""

import base64
import json
from pathlib import Path

import jwt
import pytest

from rpc.answers.refusal import Refusal
from rpc.callers import watch_tokens
from rpc.callers.authentication import REFRESH_SECONDS, AuthenticationRules, Authenticator
from rpc.callers.limits import UNLIMITED, Limits
from rpc.callers.principal import Principal
from rpc.callers.signed_token_rules import LEEWAY_SECONDS
from rpc.callers.watch_tokens import KEY_CHARACTERS_MIN, WATCH_TOKEN_PREFIX, WatchTokens

METHODS = frozenset({"/s/Get"})
FIRST, SECOND, THIRD = ("1" * 64, "2" * 64, "3" * 64)


class Clock:
    """The two clocks, which the test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Guarded:
    """An authenticator of watch tokens alone, and the file with their keys."""

    def __init__(self, file: Path, clock: Clock, limits: Limits = UNLIMITED) -> None:
        self.file = file
        self._clock = clock
        self.replace_keys(FIRST)
        self.tokens = WatchTokens(file, METHODS, limits)
        self.authenticator = Authenticator(AuthenticationRules(watch_tokens=self.tokens))

    def replace_keys(self, *keys: str) -> None:
        """Replace the file, and wait until it is read again."""
        new = self.file.with_suffix(".new")
        new.write_text("".join(f"{key}\n" for key in keys), encoding="ascii")
        new.chmod(0o600)
        new.replace(self.file)
        self._clock.now += 2 * REFRESH_SECONDS

    def create(self, batch_id: str = "b", seconds: float = 60) -> str:
        """Create a token."""
        return self.tokens.create(batch_id, seconds).text

    def caller(self, token: str) -> Principal | None:
        """Authenticate a caller with this token."""
        return self.authenticator.principal(f"Bearer {token}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clocks that decide when tokens expire and when files are checked."""
    clock = Clock()
    monkeypatch.setattr("rpc.callers.authentication.time.monotonic", clock)
    monkeypatch.setattr("rpc.callers.watch_tokens.time.time", clock)
    return clock


@pytest.fixture
def guarded(tmp_path: Path, clock: Clock) -> Guarded:
    """Return an authenticator whose only key is FIRST."""
    return Guarded(tmp_path / "keys", clock)


def test_token_is_for_one_batch_and_some_methods(guarded: Guarded) -> None:
    """It has no role, and another batch does not exist for it, whatever its id begins with."""
    caller = guarded.caller(guarded.create("import-1"))
    assert caller is not None
    assert caller.owns("import-1")
    assert not any(map(caller.owns, ("import-10", "import", "", "IMPORT-1")))
    assert caller.roles == frozenset()
    assert caller.watch_grant is not None
    assert caller.watch_grant.methods == METHODS


def test_page_can_read_when_its_token_expires(guarded: Guarded, clock: Clock) -> None:
    """Between the two dots, as in any signed token; nothing else is told but the batch."""
    claims = json.loads(decoded(guarded.create(seconds=60).split(".")[1]))
    assert claims.keys() == {"batch_id", "exp", "jti"}
    assert claims["exp"] == clock.now + 60


def test_token_is_valid_until_it_expires(guarded: Guarded, clock: Clock) -> None:
    """Also if it was remembered; the tolerance is that of other signed tokens."""
    used, unused = guarded.create(), guarded.create()
    assert guarded.caller(used) is not None
    clock.now += 60 + LEEWAY_SECONDS - 0.1
    assert guarded.caller(used) is not None
    clock.now += 0.1
    for token in (used, unused):
        with pytest.raises(Refusal) as refused:
            guarded.caller(token)
        assert (refused.value.code.name, refused.value.reason) == ("UNAUTHENTICATED", "TOKEN_EXPIRED")


def test_invented_and_changed_tokens_are_not_accepted(guarded: Guarded, clock: Clock) -> None:
    """Expired or not: that a token has expired is told only of one that was valid."""
    token = guarded.create()
    head, body, signature = token.removeprefix(WATCH_TOKEN_PREFIX).split(".")
    claims = json.loads(decoded(body))
    for wrong in (
        "",
        "..",
        encoded(b"[" * 5_000) + f".{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{encoded(json.dumps({**claims, 'batch_id': 'other'}).encode())}.{signature}",
        jwt.encode({**claims, "exp": 1}, THIRD, "HS256"),
        jwt.encode(claims, THIRD, "HS256"),
        jwt.encode(claims, "", "none"),
        jwt.encode(claims, FIRST, "HS512"),
        jwt.encode({"exp": claims["exp"]}, FIRST, "HS256"),
        jwt.encode({"batch_id": "b"}, FIRST, "HS256"),
        "\N{GRINNING FACE}",
    ):
        assert guarded.caller(WATCH_TOKEN_PREFIX + wrong) is None, wrong
    assert guarded.caller(token.removeprefix(WATCH_TOKEN_PREFIX)) is None
    clock.now += 3_600
    assert guarded.caller(f"{WATCH_TOKEN_PREFIX}{head}.{body}.{signature[:-4]}AAAA") is None


def test_token_is_valid_until_its_key_is_removed(guarded: Guarded) -> None:
    """The first key signs, and a second one verifies too: before it signs, and after."""
    old = guarded.create()
    assert guarded.caller(old) is not None
    guarded.replace_keys(FIRST, SECOND)
    assert jwt.decode(bare(guarded.create()), FIRST, ["HS256"], options={"verify_exp": False})
    guarded.replace_keys(SECOND, FIRST)
    assert guarded.caller(old) is not None
    new = guarded.create()
    assert jwt.decode(bare(new), SECOND, ["HS256"], options={"verify_exp": False})
    guarded.replace_keys(SECOND)
    assert guarded.caller(old) is None
    assert guarded.caller(new) is not None


def test_unusable_file_leaves_the_old_keys_in_use(guarded: Guarded) -> None:
    token = guarded.create()
    guarded.replace_keys("short")
    assert guarded.caller(token) is not None
    assert guarded.authenticator.is_stale
    guarded.replace_keys(FIRST, SECOND)
    assert guarded.caller(token) is not None
    assert not guarded.authenticator.is_stale


@pytest.mark.parametrize(
    ("content", "mode", "problem"),
    [
        (FIRST, 0o604, "is open to every user of this machine: run chmod o-rwx"),
        (FIRST, 0o602, "is open to every user of this machine: run chmod o-rwx"),
        ("", 0o600, "has 0 keys and must have 1 or 2, one a line"),
        (f"{FIRST}\n{SECOND}\n{THIRD}", 0o600, "has 3 keys and must have 1 or 2, one a line"),
        (f"{FIRST}\n{'s3cret' * 5}", 0o600, "has a key of less than 32 printable characters"),
        ("s3crét" * 8, 0o600, "is not ASCII"),
    ],
)
def test_unusable_file_is_refused_in_one_sentence(
    content: str, mode: int, problem: str, tmp_path: Path
) -> None:
    """The sentence names the file and quotes nothing of it."""
    file = tmp_path / "keys"
    file.write_text(content, encoding="utf-8")
    file.chmod(mode)
    with pytest.raises(ValueError, match="keys") as refused:
        WatchTokens(file, METHODS, UNLIMITED)
    assert str(refused.value).startswith(f"{file} {problem}")
    assert "s3cr" not in str(refused.value)


def test_shortest_key_and_empty_lines_are_accepted(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"\n{'k' * KEY_CHARACTERS_MIN}\n\n", encoding="ascii")
    file.chmod(0o640)
    assert WatchTokens(file, METHODS, UNLIMITED).create("b", 10).text.startswith(WATCH_TOKEN_PREFIX)


def test_each_token_is_a_caller_of_its_own(guarded: Guarded) -> None:
    """Two viewers of a batch do not use up each other's limits, and a new key does not reset them."""
    first, second = guarded.create(), guarded.create()
    usages = [caller.usage for one in (first, second, first) if (caller := guarded.caller(one))]
    assert usages[0] is usages[2] is not usages[1]
    guarded.replace_keys(SECOND, FIRST)
    again = guarded.caller(first)
    assert again is not None
    assert again.usage is usages[0]


def test_tokens_have_the_limits_of_callers(tmp_path: Path, clock: Clock) -> None:
    limits = Limits(watches_max=3)
    guarded = Guarded(tmp_path / "keys", clock, limits)
    caller = guarded.caller(guarded.create())
    assert caller is not None
    assert caller.limits == limits


def test_number_of_remembered_tokens_is_limited(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    """All valid tokens stay valid, and no token itself is kept."""
    monkeypatch.setattr(watch_tokens, "REMEMBERED_MAX", 3)
    created = [guarded.create() for _ in range(10)]
    for _ in range(2):
        assert all(guarded.caller(token) is not None for token in created)
    kept = guarded.tokens._keys.current.remembered  # noqa: SLF001  # memory cannot be observed from outside
    assert len(kept) == 3
    assert kept.keys().isdisjoint(created)


def test_without_keys_watch_tokens_are_unknown(guarded: Guarded, tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.touch()
    authenticator = Authenticator(AuthenticationRules(file))
    assert authenticator.principal(f"Bearer {guarded.create()}") is None


def bare(token: str) -> str:
    """Return the signed part of a token."""
    return token.removeprefix(WATCH_TOKEN_PREFIX)


def decoded(part: str) -> bytes:
    """Return the content of a part of a signed token."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def encoded(raw: bytes) -> str:
    """Return a part of a signed token."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
