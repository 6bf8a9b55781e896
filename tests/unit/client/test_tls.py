"""The files of TlsFiles."""

from pathlib import Path

import pytest

from batchprogress import TlsFiles
from tests.support.certificates import self_signed


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Otherwise no connection would ever succeed."""
    (tmp_path / "ca.pem").touch()
    with pytest.raises(ValueError, match=r"ca\.pem is empty"):
        TlsFiles(tmp_path / "ca.pem")


def test_a_file_that_is_empty_while_it_is_replaced_leaves_the_old_credentials(tmp_path: Path) -> None:
    """A program may truncate a file before it writes it."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(self_signed()[1])
    files = TlsFiles(ca)
    before = files.certificates()
    ca.write_bytes(b"")
    assert files.certificates() == before
