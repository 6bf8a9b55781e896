"""Why a database that answers cannot be used until a person changes something: the one table of causes.

docs/operations.md has the same table.
"""

from dataclasses import dataclass

URL = "BATCHES_DATABASE_URL"
CHECK_SERVER = f"check whether it runs, and {URL}"
GRANT = (
    "GRANT SELECT, INSERT, UPDATE, DELETE ON the database to it, and CREATE, ALTER, INDEX too for"
    " `python -m batches upgrade`"
)


@dataclass(frozen=True, slots=True)
class Cause:
    """What has happened, and what to do about it. Neither ever contains a secret."""

    happened: str
    remedy: str


LOGIN = Cause(
    "the server does not accept this user and password",
    f"check both in {URL}, and add ?ssl_mode=REQUIRED if the account requires TLS",
)
LOCKED = Cause("the account is locked", "unlock it with ALTER USER … ACCOUNT UNLOCK")
EXPIRED = Cause("the password of this user has expired", f"set a new one with ALTER USER, then change {URL}")
HOST = Cause(
    "the server accepts no connections from this machine",
    "create the user for its address (CREATE USER 'user'@'address'), or use another account",
)
PLUGIN = Cause(
    "the driver does not know the authentication plugin of this user",
    "use an account with caching_sha2_password or mysql_native_password",
)
NO_DATABASE = Cause(
    "the server has no database of this name", f"create it with CREATE DATABASE, or correct {URL}"
)
NO_RIGHTS = Cause("this user may not use the database", GRANT)
RIGHT_MISSING = Cause("this user lacks a right on a table", GRANT)
STATEMENT_FORMAT = Cause(
    "with binlog_format = STATEMENT the server refuses every write",
    "set binlog_format = ROW (or MIXED) in its configuration and restart it",
)
TLS_DEMANDED = Cause("the server accepts only TLS", f"add ?ssl_mode=REQUIRED to {URL}")
TLS_MISSING = Cause(
    "the server does not speak TLS, which ssl_mode demands",
    f"switch it on at the server, or remove the ssl_ parameters from {URL}",
)
CERTIFICATE = Cause(
    "the certificate of the server is not valid",
    f"name its authority as ssl_ca in {URL}, and use a host name of the certificate"
    " (ssl_mode=VERIFY_CA does not check the name)",
)
NO_FOLDER = Cause("its folder does not exist", f"create the folder, or correct {URL}")
NOT_A_FILE = Cause("it is a folder", f"add the name of a file to {URL}")
FOLDER_READ_ONLY = Cause(
    "this user may not create files in its folder", "change the owner or the mode of the folder"
)
FILE_READ_ONLY = Cause(
    "this user may not read and write it", "change the owner or the mode of the file, or mount it writable"
)
NOT_A_DATABASE = Cause("it is not an SQLite database", f"name another file in {URL}")

CAUSES: dict[int, Cause] = {
    1044: NO_RIGHTS,  # ER_DBACCESS_DENIED_ERROR
    1045: LOGIN,  # ER_ACCESS_DENIED_ERROR
    1049: NO_DATABASE,  # ER_BAD_DB_ERROR
    1102: NO_DATABASE,  # ER_WRONG_DB_NAME
    1130: HOST,  # ER_HOST_NOT_PRIVILEGED
    1142: RIGHT_MISSING,  # ER_TABLEACCESS_DENIED_ERROR
    1143: RIGHT_MISSING,  # ER_COLUMNACCESS_DENIED_ERROR
    1665: STATEMENT_FORMAT,  # ER_BINLOG_STMT_MODE_AND_ROW_ENGINE
    1698: LOGIN,  # ER_ACCESS_DENIED_NO_PASSWORD_ERROR
    1820: EXPIRED,  # ER_MUST_CHANGE_PASSWORD
    1862: EXPIRED,  # ER_MUST_CHANGE_PASSWORD_LOGIN
    2059: PLUGIN,  # CR_AUTH_PLUGIN_CANNOT_LOAD
    3118: LOCKED,  # ER_ACCOUNT_HAS_BEEN_LOCKED
    3159: TLS_DEMANDED,  # ER_SECURE_TRANSPORT_REQUIRED
    3955: LOCKED,  # ER_USER_ACCESS_DENIED_FOR_USER_ACCOUNT_BLOCKED_BY_PASSWORD_LOCK
    4151: LOCKED,  # MariaDB: ER_ACCOUNT_HAS_BEEN_LOCKED
}
"""By the error number of MySQL or MariaDB."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What is known of the path of an SQLite file."""

    has_folder: bool
    is_folder: bool
    may_create: bool
    """Whether this user may create files beside it, as SQLite does."""


def cause_of_sqlite(error_name: str, file: FileState) -> Cause | None:
    """Return the cause of an error of SQLite; None if it is not one of the configuration.

    Args:
        error_name: its name, such as SQLITE_CANTOPEN or SQLITE_READONLY_DIRECTORY.
        file: the state of the file.

    """
    if error_name.startswith("SQLITE_NOTADB"):
        return NOT_A_DATABASE
    if not error_name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
        return None
    if not file.has_folder:
        return NO_FOLDER
    if file.is_folder:
        return NOT_A_FILE
    return FILE_READ_ONLY if file.may_create else FOLDER_READ_ONLY


def sentence(place: str, cause: Cause, detail: str) -> str:
    """Say in one sentence what has happened, to what, and what to do.

    Args:
        place: the name of the database, as `describe_place` returns it.
        cause: the cause.
        detail: what the server, the driver or SQLite has said, without a secret.

    """
    return f"cannot use {place}: {cause.happened}; {cause.remedy} ({' '.join(detail.split())})"
