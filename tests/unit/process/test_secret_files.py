"""Secrets and tokens from files."""

from pathlib import Path

import pytest

from process.secret_files import SECRET_BYTES_MAX, read_secret, read_token, with_secret_files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a path where no file is yet."""
    return tmp_path / "secret"


def test_white_space_around_a_secret_is_ignored(file: Path) -> None:
    file.write_text(" s3cret\n", encoding="utf-8")
    assert read_secret(file) == read_token(file) == "s3cret"


@pytest.mark.parametrize(
    ("content", "problem"),
    [("", "is empty"), (" \n", "is empty"), ("x" * (SECRET_BYTES_MAX + 1), "is larger than 65536 bytes, so")],
)
def test_file_without_a_secret_is_refused(file: Path, content: str, problem: str) -> None:
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{file} {problem}"):
        read_secret(file)


def test_missing_file_is_named(file: Path) -> None:
    with pytest.raises(ValueError, match=f"^{file} cannot be read: No such file or directory$"):
        read_secret(file)


def test_file_that_is_not_utf_8_is_refused(file: Path) -> None:
    file.write_bytes(b"s3cret\xff")
    with pytest.raises(ValueError, match=f"^{file} is not UTF-8$"):
        read_secret(file)


@pytest.mark.parametrize("content", ["two\nlines", "Schlüssel", "a\x00b"])
def test_token_is_one_line_of_printable_ascii(file: Path, content: str) -> None:
    """The message does not quote the content."""
    file.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=f"^{file} is not one line of printable ASCII characters$"):
        read_token(file)


def test_settings_take_a_secret_from_its_file(file: Path) -> None:
    file.write_text("s3cret", encoding="utf-8")
    values = {"url_file": str(file), "other": 1}
    assert with_secret_files("P_", values, "url", "password") == {**values, "url": "s3cret"}


def test_secret_and_its_file_exclude_each_other(file: Path) -> None:
    with pytest.raises(ValueError, match=r"^set P_URL or P_URL_FILE, not both$"):
        with_secret_files("P_", {"url": "x", "url_file": str(file)}, "url")
