"""Who is recognised: what is remembered, for how long, and what a file that is replaced changes."""

import time
from dataclasses import dataclass
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rpc.callers import jwt_tokens
from rpc.callers.authentication import REFRESH_SECONDS, AuthenticationRules, Authenticator
from rpc.callers.jwt_tokens import SignedTokenRules
from rpc.callers.principal import Role
from rpc.callers.token_file import entry_text, new_token


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Signer:
    """Signs tokens, as an identity provider does."""

    rules: SignedTokenRules

    def __post_init__(self) -> None:
        """Tell its key."""
        self.change_key()

    def change_key(self) -> None:
        """Sign with another key from now on."""
        self._key = Ed25519PrivateKey.generate()
        pem = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        beside = self.rules.key.with_suffix(".new")
        beside.write_bytes(pem)
        beside.replace(self.rules.key)  # another file, whatever the clock of the disk says

    def header(self, name: str) -> str:
        """Return what shows a token of this name."""
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
    """Return whom a server may believe."""
    return Signer(SignedTokenRules(tmp_path / "issuer.pem", "EdDSA", "us", "them"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that says when files are looked at."""
    clock = Clock()
    monkeypatch.setattr("rpc.callers.authentication.time.monotonic", clock)
    return clock


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of tokens with none in it."""
    path = tmp_path / "tokens.toml"
    path.touch()
    return path


def add(file: Path, name: str, more: str = "") -> str:
    """Add a token; returns the header that shows it."""
    token = new_token()
    file.write_text(file.read_text() + entry_text(name, token, [Role.WORKER]) + more, encoding="ascii")
    return f"Bearer {token}"


def test_a_header_is_a_scheme_and_a_token(file: Path) -> None:
    """The scheme's case means nothing; another scheme, or none, is nobody."""
    header = add(file, "someone")
    token = header.removeprefix("Bearer ")
    known = Authenticator(AuthenticationRules(file))
    for right in (header, f"bearer {token}", f"BEARER  {token} "):
        principal = known.principal(right)
        assert principal is not None
        assert principal.name == "someone"
    for wrong in ("", token, f"Basic {token}", "Bearer ", f"Bearer {token[:-1]}", f"Bearer {token}x"):
        assert known.principal(wrong) is None


def test_files_are_looked_at_once_a_second(file: Path, clock: Clock) -> None:
    """A token that is taken out is known until the next look, and no longer."""
    header = add(file, "someone")
    known = Authenticator(AuthenticationRules(file))
    assert known.principal(header) is not None
    file.write_text("", encoding="ascii")
    clock.now += REFRESH_SECONDS / 2
    assert known.principal(header) is not None
    clock.now += REFRESH_SECONDS
    assert known.principal(header) is None


def test_a_broken_file_changes_nothing(file: Path, clock: Clock) -> None:
    """A file that cannot be used leaves what was: nobody is locked out or let in, and it is told."""
    header = add(file, "someone")
    known = Authenticator(AuthenticationRules(file))
    good = file.read_text()
    for content in ("garbage", "[[token]]\nname = 7\n", good + good):
        clock.now += 2 * REFRESH_SECONDS
        file.write_text(content, encoding="ascii")
        assert known.principal(header) is not None
        assert known.is_stale
    clock.now += 2 * REFRESH_SECONDS
    file.write_text(good + "\n", encoding="ascii")
    assert known.principal(header) is not None
    assert not known.is_stale


def test_tokens_of_a_name_share_what_they_use(file: Path, clock: Clock) -> None:
    """Two tokens of one name count together, also after the file was read again; another name does not."""
    first, second, other = add(file, "same"), add(file, "same"), add(file, "other")
    known = Authenticator(AuthenticationRules(file))
    usages = [principal.usage for one in (first, second, other) if (principal := known.principal(one))]
    assert usages[0] is usages[1] is not usages[2]
    file.write_text(file.read_text() + "\n", encoding="ascii")
    clock.now += 2 * REFRESH_SECONDS
    again = known.principal(first)
    assert again is not None
    assert again.usage is usages[0]


def test_tokens_of_a_name_share_what_they_use_across_kinds(file: Path, issuer: Signer) -> None:
    """A token of the file and a signed one of the same name count together."""
    header = add(file, "same")
    known = Authenticator(AuthenticationRules(file, issuer.rules))
    opaque, signed = known.principal(header), known.principal(issuer.header("same"))
    assert opaque is not None
    assert signed is not None
    assert opaque.usage is signed.usage


def test_a_broken_key_keeps_no_token_alive(file: Path, clock: Clock, issuer: Signer) -> None:
    """Each file is taken for itself: what was taken out of one is refused, whatever is wrong with another."""
    header = add(file, "someone")
    known = Authenticator(AuthenticationRules(file, issuer.rules))
    assert known.principal(header) is not None
    issuer.rules.key.write_text("garbage", encoding="ascii")
    file.write_text("", encoding="ascii")
    clock.now += 2 * REFRESH_SECONDS
    assert known.principal(header) is None
    assert known.principal(issuer.header("someone")) is not None
    assert known.is_stale


def test_the_machines_clock_decides_nothing_about_files(
    file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token that was taken out is refused in time, also if the machine's clock was set back meanwhile."""
    header = add(file, "someone")
    known = Authenticator(AuthenticationRules(file))
    assert known.principal(header) is not None
    file.write_text("", encoding="ascii")
    monkeypatch.setattr("rpc.callers.authentication.time.time", lambda: 0.0)
    clock.now += 2 * REFRESH_SECONDS
    assert known.principal(header) is None


def test_a_key_that_is_replaced_forgets_every_token(file: Path, clock: Clock, issuer: Signer) -> None:
    """What the old key signed is refused once there is a new one, remembered or not."""
    known = Authenticator(AuthenticationRules(file, issuer.rules))
    header = issuer.header("someone")
    assert known.principal(header) is not None
    issuer.change_key()
    clock.now += 2 * REFRESH_SECONDS
    assert known.principal(header) is None
    assert known.principal(issuer.header("someone")) is not None


def test_what_is_remembered_is_bounded(file: Path, issuer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more callers than are remembered each is still known; no token is kept, nor a stranger."""
    monkeypatch.setattr(jwt_tokens, "REMEMBERED_MAX", 3)
    known = Authenticator(AuthenticationRules(file, issuer.rules))
    headers = [issuer.header(f"caller-{number}") for number in range(10)]
    for _ in range(2):
        assert all(known.principal(header) is not None for header in headers)
        assert all(known.principal(f"Bearer {number}") is None for number in range(10))
    assert known._signed is not None  # noqa: SLF001  # what is kept cannot be seen from outside
    kept = known._signed.current._remembered  # noqa: SLF001
    assert len(kept) == len(known._usages) == 3  # noqa: SLF001
    assert kept.keys().isdisjoint(part for header in headers for part in (header, header.split()[1]))
