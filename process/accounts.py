"""The account in a URL, whose file is replaced when its password is changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from process.reloaded_files import ReloadedFiles
from process.secret_files import read_secret


class Account(NamedTuple):
    """The user and the password of a URL."""

    user: str | None
    password: str | None


Split = Callable[[str], tuple[Account, Any]]
"""Splits a URL into its account and everything else, of a type that can be compared; raises ValueError."""


class RotatedAccount:
    """The account of a URL, and the one that its file names once the server refuses the first.

    The file is not read before that: between the two steps of a rotation it names a password that does not
    work yet. Only the account is taken from it: another server or database holds other data, so that needs a
    restart.

    Args:
        url: the URL at the start.
        file: the file that contains it, None if it came from elsewhere and stays as it is.
        split: the rules of this kind of URL.

    Raises:
        ValueError: the file was replaced since the start, and cannot be used.

    """

    def __init__(self, url: str, file: Path | None, split: Split) -> None:
        self._split = split
        self._account, self._address = split(url)
        self._files = None if file is None else ReloadedFiles([file], lambda: self._read(file))

    @property
    def current(self) -> Account:
        """The account to log in with."""
        return self._account if self._files is None else self._files.current

    def renew(self, refused: Account) -> bool:
        """Read the file again, because the server refused an account.

        Args:
            refused: the account.

        Returns:
            Whether the current account is another one now, so that another try may succeed.

        """
        if self.current == refused and self._files is not None:
            self._files.refresh()
        return self.current != refused

    def _read(self, file: Path) -> Account:
        text = read_secret(file)
        try:
            account, address = self._split(text)
        except ValueError as error:
            raise ValueError(f"the URL in {file} {error}") from None
        if address != self._address:
            raise ValueError(f"the URL in {file} differs in more than its user and password: restart for it")
        return account
