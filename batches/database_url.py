"""The URL of the database: which ones can be used, and the account in them."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from process.accounts import Account
from process.urls import require_encoded_at

EXAMPLE_URL = "mysql+asyncmy://user:password@host:3306/database"
DRIVERS = ("mysql+asyncmy", "mariadb+asyncmy", "sqlite+aiosqlite")


def parse_url(text: str) -> URL:
    """Parse a URL of SQLAlchemy.

    Args:
        text: the URL.

    Returns:
        The URL.

    Raises:
        ValueError: it cannot be used. The text never contains the URL, because it may hold a password.

    """
    if not text.startswith("sqlite"):
        require_encoded_at(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # a ValueError quotes what should be the port
        raise ValueError(f"is not a database URL such as {EXAMPLE_URL}") from None
    if url.drivername not in DRIVERS:
        raise ValueError(f"must begin with one of {', '.join(DRIVERS)}")
    return url


def split_url(text: str) -> tuple[Account, URL]:
    """Split a URL into its account and the URL without it.

    Args:
        text: the URL.

    Returns:
        The account and the rest.

    Raises:
        ValueError: as `parse_url`.

    """
    url = parse_url(text)
    return Account(url.username, url.password), url.set(username="", password="")
