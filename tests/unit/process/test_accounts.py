"""The account in a URL is changed while the process runs."""

from pathlib import Path

import pytest

from process.accounts import Account, RotatedAccount

OLD, NEW = Account("app", "old"), Account("app", "new")


def split(text: str) -> tuple[Account, str]:
    """Split user:password@host."""
    account, at, host = text.partition("@")
    if not at:
        raise ValueError("is not a URL")
    user, _, password = account.partition(":")
    return Account(user, password), host


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the file with the old account."""
    file = tmp_path / "url"
    file.write_text("app:old@host", encoding="ascii")
    return file


@pytest.fixture
def rotated(file: Path) -> RotatedAccount:
    """Return the account."""
    return RotatedAccount("app:old@host", file, split)


def test_new_file_is_not_read_before_the_old_account_is_refused(rotated: RotatedAccount, file: Path) -> None:
    """Its password may not work yet."""
    file.write_text("app:new@host", encoding="ascii")
    assert rotated.current == OLD
    assert rotated.renew(OLD)
    assert rotated.current == NEW


def test_file_that_the_kubelet_replaces_behind_a_link_is_noticed(tmp_path: Path) -> None:
    """It renames a new link `..data` over the old one; the file itself is a link through it."""
    for version in ("old", "new"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "url").write_text(f"app:{version}@host", encoding="ascii")
    (tmp_path / "..data").symlink_to("old")
    (tmp_path / "url").symlink_to(Path("..data") / "url")
    rotated = RotatedAccount("app:old@host", tmp_path / "url", split)
    (tmp_path / "..data_tmp").symlink_to("new")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert rotated.renew(OLD)
    assert rotated.current == NEW


def test_the_account_that_is_still_in_the_file_is_not_tried_again(rotated: RotatedAccount) -> None:
    """A refused account stays refused."""
    assert not rotated.renew(OLD)


def test_account_that_another_connection_has_renewed_is_tried(rotated: RotatedAccount, file: Path) -> None:
    """Each connection that is refused asks."""
    file.write_text("app:new@host", encoding="ascii")
    assert rotated.renew(OLD)
    assert rotated.renew(OLD)
    assert not rotated.renew(NEW)


@pytest.mark.parametrize("content", ["app:new@other", "nonsense", ""])
def test_file_with_another_server_or_without_a_url_is_not_used(
    content: str, rotated: RotatedAccount, file: Path
) -> None:
    """The old account stays in use."""
    file.write_text(content, encoding="ascii")
    assert not rotated.renew(OLD)
    assert rotated.current == OLD


def test_url_from_a_variable_stays_as_it_is() -> None:
    """The environment of a process does not change."""
    account = RotatedAccount("app:old@host", None, split)
    assert not account.renew(OLD)
    assert account.current == OLD
