"""Who is recognised: what is remembered, for how long, and what a file that is replaced changes."""

from pathlib import Path

import pytest

from rpc import authentication
from rpc.authentication import LOOK_SECONDS, AuthenticationRules, Authenticator
from rpc.principal import Role
from rpc.token_file import entry_text, new_token


class Clock:
    """A clock that is told the time."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock."""
    return Clock()


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


def test_a_header_is_a_scheme_and_a_token(file: Path, clock: Clock) -> None:
    """The scheme's case means nothing; another scheme, or none, is nobody."""
    header = add(file, "someone")
    token = header.removeprefix("Bearer ")
    known = Authenticator(AuthenticationRules(file), now=clock)
    for right in (header, f"bearer {token}", f"BEARER  {token} "):
        principal = known.principal(right)
        assert principal is not None
        assert principal.name == "someone"
    for wrong in ("", token, f"Basic {token}", "Bearer ", f"Bearer {token[:-1]}", f"Bearer {token}x"):
        assert known.principal(wrong) is None


def test_files_are_looked_at_once_a_second(file: Path, clock: Clock) -> None:
    """A token that is taken out is known until the next look, and no longer."""
    header = add(file, "someone")
    known = Authenticator(AuthenticationRules(file), now=clock)
    assert known.principal(header) is not None
    file.write_text("", encoding="ascii")
    clock.now += LOOK_SECONDS / 2
    assert known.principal(header) is not None
    clock.now += LOOK_SECONDS
    assert known.principal(header) is None


def test_a_broken_file_changes_nothing(file: Path, clock: Clock) -> None:
    """A file that cannot be used leaves what was: nobody is locked out or let in, and it is told."""
    header = add(file, "someone")
    known = Authenticator(AuthenticationRules(file), now=clock)
    good = file.read_text()
    for content in ("garbage", "[[token]]\nname = 7\n", good + good):
        clock.now += 2 * LOOK_SECONDS
        file.write_text(content, encoding="ascii")
        assert known.principal(header) is not None
        assert known.is_stale
    clock.now += 2 * LOOK_SECONDS
    file.write_text(good + "\n", encoding="ascii")
    assert known.principal(header) is not None
    assert not known.is_stale


def test_tokens_of_a_name_share_what_they_use(file: Path, clock: Clock) -> None:
    """Two tokens of one name count together, also after the file was read again; another name does not."""
    first, second, other = add(file, "same"), add(file, "same"), add(file, "other")
    known = Authenticator(AuthenticationRules(file), now=clock)
    usages = [principal.usage for one in (first, second, other) if (principal := known.principal(one))]
    assert usages[0] is usages[1] is not usages[2]
    file.write_text(file.read_text() + "\n", encoding="ascii")
    clock.now += 2 * LOOK_SECONDS
    again = known.principal(first)
    assert again is not None
    assert again.usage is usages[0]


def test_what_is_remembered_is_bounded(file: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """With more callers than are remembered each is still known, and strangers are remembered by nobody."""
    monkeypatch.setattr(authentication, "REMEMBERED_MAX", 3)
    headers = [add(file, f"caller-{number}") for number in range(10)]
    known = Authenticator(AuthenticationRules(file), now=clock)
    for _ in range(2):
        assert all(known.principal(header) is not None for header in headers)
        assert all(known.principal(f"Bearer {number}") is None for number in range(10))
    assert len(known._remembered) <= 3  # noqa: SLF001  # what is bounded cannot be seen from outside
    assert len(known._usages) <= 4  # noqa: SLF001  # as above
