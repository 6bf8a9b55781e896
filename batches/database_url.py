"""The URL of the database: which ones can be used, the account in them, and how programs name the place."""

from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from process.accounts import Account
from process.urls import require_encoded_at

EXAMPLE_URL = "mysql+asyncmy://user:password@host:3306/database"
DRIVERS = ("mysql+asyncmy", "mariadb+asyncmy", "sqlite+aiosqlite")
DEFAULT_PORT = 3306
PARAMETERS = frozenset(
    {
        "charset",
        "unix_socket",
        "ssl_mode",
        "ssl-mode",
        "ssl_ca",
        "ssl_capath",
        "ssl_cert",
        "ssl_key",
        "ssl_cipher",
        "ssl_check_hostname",
    }
)
"""Of a database server. ssl-mode is how some hosting providers spell ssl_mode."""
CHARSET = "utf8mb4"


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
    if url.get_backend_name() == "sqlite":
        _require_file(url)
    else:
        _require_database(url)
    return url


def _require_file(url: URL) -> None:
    if url.database in {None, "", ":memory:"}:
        raise ValueError("names no SQLite file: end it with /// and a path, as sqlite+aiosqlite:///file.db")


def _require_database(url: URL) -> None:
    if not url.database:
        raise ValueError(f"names no database: end it with / and a name, as {EXAMPLE_URL}")
    unknown = sorted(url.query.keys() - PARAMETERS)
    if unknown:
        raise ValueError(
            f"has the unknown parameter {unknown[0]}: the known ones are {', '.join(sorted(PARAMETERS))}"
        )
    if url.query.get("charset", CHARSET) != CHARSET:
        raise ValueError(
            f"asks for another charset than {CHARSET}, in which texts are stored: remove charset"
        )


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


def describe_place(url: URL, user: str | None) -> str:
    """Name the place that a URL leads to, for logs and errors: without the password and the parameters.

    Args:
        url: the URL.
        user: the user who logs in to a server.

    Returns:
        Such as `database batches on db:3306 as user app`, or `SQLite file /srv/batchprogress.db`.

    """
    if url.get_backend_name() == "sqlite":
        return f"SQLite file {Path(url.database or '').absolute()}"
    host = url.host or "localhost"
    address = f"[{host}]" if ":" in host else host
    where = url.query.get("unix_socket") or f"{address}:{url.port or DEFAULT_PORT}"
    return f"database {url.database} on {where}{f' as user {user}' if user else ''}"
