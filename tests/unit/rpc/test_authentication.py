"""Which callers are authenticated, for how long, and after their files were replaced."""

import time
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rpc.callers import jwt_tokens
from rpc.callers.authentication import REFRESH_SECONDS, AuthenticationRules, Authenticator
from rpc.callers.principal import Role
from rpc.callers.signed_token_rules import SignedTokenRules
from rpc.callers.token_file import entry_text, new_token


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Signer:
    """Signs tokens, as an identity provider does."""

    rules: SignedTokenRules

    def __post_init__(self) -> None:
        """Publish the first key."""
        self.change_key()

    def change_key(self) -> None:
        """Publish another key, and sign with it from now on."""
        self._key = Ed25519PrivateKey.generate()
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        new_file = self.rules.key.with_suffix(".new")
        new_file.write_bytes(pem)
        new_file.replace(self.rules.key)  # a new inode, even if the time stamps are equal

    def header(self, name: str) -> str:
        """Return a header with a valid token of this name."""
        claims = {
            "sub": name,
            "roles": ["reader"],
            "aud": self.rules.audience,
            "iss": self.rules.issuer,
            "exp": time.time() + 60,
        }
        return f"Bearer {jwt.encode(claims, self._key, algorithm=self.rules.algorithm)}"


@pytest.fixture
def issuer(tmp_path: Path) -> Signer:
    """Return an issuer of signed tokens."""
    return Signer(SignedTokenRules(tmp_path / "issuer.pem", "EdDSA", "us", "them"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the clock that decides when files are checked."""
    clock = Clock()
    monkeypatch.setattr("rpc.callers.authentication.time.monotonic", clock)
    return clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return an empty file of tokens."""
    path = tmp_path / "tokens.toml"
    path.touch()
    return path


def add(file: Path, name: str, more: str = "") -> str:
    """Add a token; return a header with it."""
    token = new_token()
    file.write_text(file.read_text() + entry_text(name, token, [Role.WORKER]) + more, encoding="ascii")
    return f"Bearer {token}"


def test_header_is_bearer_and_token(file: Path) -> None:
    """The case of the scheme does not matter; any other scheme is refused."""
    header = add(file, "someone")
    token = header.removeprefix("Bearer ")
    authenticator = Authenticator(AuthenticationRules(file))
    for right in (header, f"bearer {token}", f"BEARER  {token} "):
        principal = authenticator.principal(right)
        assert principal is not None
        assert principal.name == "someone"
    others = ("", token, f"Basic {token}", f"Digest {token}", "Bearer ")
    for wrong in (*others, f"Bearer {token.swapcase()}", f"Bearer {token[:-1]}", f"Bearer {token}x"):
        assert authenticator.principal(wrong) is None, wrong


def test_removed_token_is_refused_at_the_next_check(file: Path, clock: Clock) -> None:
    header = add(file, "someone")
    authenticator = Authenticator(AuthenticationRules(file))
    assert authenticator.principal(header) is not None
    file.write_text("", encoding="ascii")
    clock.now += REFRESH_SECONDS / 2
    assert authenticator.principal(header) is not None
    clock.now += REFRESH_SECONDS
    assert authenticator.principal(header) is None


def test_broken_file_leaves_the_old_tokens_in_use(file: Path, clock: Clock) -> None:
    """Nobody is locked out or let in, and the authenticator is stale until the file is repaired."""
    header = add(file, "someone")
    authenticator = Authenticator(AuthenticationRules(file))
    good = file.read_text()
    for content in ("garbage", "[[token]]\nname = 7\n", good + good):
        clock.now += 2 * REFRESH_SECONDS
        file.write_text(content, encoding="ascii")
        assert authenticator.principal(header) is not None
        assert authenticator.is_stale
    clock.now += 2 * REFRESH_SECONDS
    file.write_text(good + "\n", encoding="ascii")
    assert authenticator.principal(header) is not None
    assert not authenticator.is_stale


def test_tokens_of_a_name_share_their_usage(file: Path, clock: Clock) -> None:
    """Two tokens of one name share it even after the file was reloaded; another name has its own."""
    first, second, other = add(file, "same"), add(file, "same"), add(file, "other")
    authenticator = Authenticator(AuthenticationRules(file))
    usages = [
        principal.usage for one in (first, second, other) if (principal := authenticator.principal(one))
    ]
    assert usages[0] is usages[1] is not usages[2]
    file.write_text(file.read_text() + "\n", encoding="ascii")
    clock.now += 2 * REFRESH_SECONDS
    again = authenticator.principal(first)
    assert again is not None
    assert again.usage is usages[0]


def test_opaque_and_signed_tokens_of_a_name_share_their_usage(file: Path, issuer: Signer) -> None:
    header = add(file, "same")
    authenticator = Authenticator(AuthenticationRules(file, issuer.rules))
    opaque, signed = authenticator.principal(header), authenticator.principal(issuer.header("same"))
    assert opaque is not None
    assert signed is not None
    assert opaque.usage is signed.usage


def test_broken_key_does_not_keep_a_removed_token_valid(file: Path, clock: Clock, issuer: Signer) -> None:
    """Each file is reloaded independently of the others."""
    header = add(file, "someone")
    authenticator = Authenticator(AuthenticationRules(file, issuer.rules))
    assert authenticator.principal(header) is not None
    issuer.rules.key.write_text("garbage", encoding="ascii")
    file.write_text("", encoding="ascii")
    clock.now += 2 * REFRESH_SECONDS
    assert authenticator.principal(header) is None
    assert authenticator.principal(issuer.header("someone")) is not None
    assert authenticator.is_stale


def test_wall_clock_does_not_delay_the_check_of_files(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removed token is refused in time even if the wall clock was set back."""
    header = add(file, "someone")
    authenticator = Authenticator(AuthenticationRules(file))
    assert authenticator.principal(header) is not None
    file.write_text("", encoding="ascii")
    monkeypatch.setattr("rpc.callers.authentication.time.time", lambda: 0.0)
    clock.now += 2 * REFRESH_SECONDS
    assert authenticator.principal(header) is None


def test_new_key_invalidates_all_tokens_of_the_old_key(file: Path, clock: Clock, issuer: Signer) -> None:
    """They are refused even if they were remembered."""
    authenticator = Authenticator(AuthenticationRules(file, issuer.rules))
    header = issuer.header("someone")
    assert authenticator.principal(header) is not None
    issuer.change_key()
    clock.now += 2 * REFRESH_SECONDS
    assert authenticator.principal(header) is None
    assert authenticator.principal(issuer.header("someone")) is not None


def test_number_of_remembered_tokens_is_limited(
    file: Path, issuer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All valid tokens stay valid; neither tokens themselves nor invalid ones are remembered."""
    monkeypatch.setattr(jwt_tokens, "REMEMBERED_MAX", 3)
    authenticator = Authenticator(AuthenticationRules(file, issuer.rules))
    headers = [issuer.header(f"caller-{number}") for number in range(10)]
    for _ in range(2):
        assert all(authenticator.principal(header) is not None for header in headers)
        assert all(authenticator.principal(f"Bearer {number}") is None for number in range(10))
    assert authenticator._signed is not None  # noqa: SLF001  # memory cannot be observed from outside
    kept = authenticator._signed.current._remembered  # noqa: SLF001
    assert len(kept) == len(authenticator._usages) == 3  # noqa: SLF001
    assert kept.keys().isdisjoint(part for header in headers for part in (header, header.split()[1]))
