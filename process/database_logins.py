"""Logs in to a database with the account in its URL, also after the account was changed."""

from typing import Any

from process.accounts import Account, RotatedAccount

REFUSED_CODES = frozenset({1044, 1045, 1142, 1143, 1698, 1862, 3118, 3955, 4151})
"""MySQL and MariaDB: wrong user or password (1045, 1698), no access to the database, a table or a column
(1044, 1142, 1143), a password that has expired (1862), a locked account (3118, 3955, 4151)."""
REFUSED_STATES = frozenset({"28000", "28P01", "42501"})
"""PostgreSQL: an invalid role, a wrong password, no access to a table."""

CONNECTION_LOST = 2013
"""MySQL and MariaDB: CR_SERVER_LOST, as the driver says if it happens a moment later."""

_ACCOUNT = "batchprogress_account"


class DatabaseLogins:
    """Listeners for the events of an engine of SQLAlchemy.

    Args:
        account: the account in the URL of the engine.

    """

    def __init__(self, account: RotatedAccount) -> None:
        self._account = account

    def connect(self, dialect: Any, record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        """Log in, and again if the account is refused and its file names another one (event `do_connect`)."""
        account = self._account.current
        try:
            connection = _connect(dialect, arguments, _with_account(options, account))
        except Exception as error:
            if not is_refusal(error) or not self._account.renew(account):
                raise
            account = self._account.current
            connection = _connect(dialect, arguments, _with_account(options, account))
        record.info[_ACCOUNT] = account
        return connection

    def handle_error(self, context: Any) -> None:
        """Drop the open connections of an account that has lost its permissions (event `handle_error`).

        A changed password ends no connection, and a dropped account keeps its connections, too.
        """
        if context.connection is None or not is_refusal(context.original_exception):
            return
        account = context.connection.info.get(_ACCOUNT)
        if account is not None and self._account.renew(account):
            context.is_disconnect = True


def is_refusal(error: BaseException) -> bool:
    """Return whether an error of a driver means that the server refuses the account."""
    code = error.args[0] if error.args else None
    return code in REFUSED_CODES or getattr(error, "sqlstate", None) in REFUSED_STATES


def _connect(dialect: Any, arguments: Any, options: dict[str, Any]) -> Any:
    """Connect; raise the driver's error where asyncmy, on uvloop, raises none of its own.

    A transport of uvloop forgets its socket when it is closed, as by a server that ends the connection.
    """
    try:
        return dialect.connect(*arguments, **options)
    except RuntimeError as error:
        raise dialect.loaded_dbapi.OperationalError(CONNECTION_LOST, str(error)) from error


def _with_account(options: dict[str, Any], account: Account) -> dict[str, Any]:
    """Return the arguments of a driver with this account; what the account lacks is left as it is."""
    named = {"user": account.user, "password": account.password}
    return options | {name: value for name, value in named.items() if value is not None}
