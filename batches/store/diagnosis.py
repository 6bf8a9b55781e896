"""Says why a transaction failed: the database does not answer, or it cannot be used as it is set up."""

import os
import ssl
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from batches.database_url import describe_place
from batches.errors import DatabaseUnavailable, DatabaseUnusable
from batches.store import causes
from batches.store.refusals import CANNOT_CONNECT, code_of

SILENT_CODES = {CANNOT_CONNECT, 2006, 2013}
"""Nothing listens, or the connection broke (CR_SERVER_GONE_ERROR, CR_SERVER_LOST)."""
PLAINTEXT_REASONS = {"WRONG_VERSION_NUMBER", "UNEXPECTED_EOF_WHILE_READING"}
"""Python's names for an answer that is not TLS."""


def diagnose(error: BaseException, url: URL, user: str | None) -> DatabaseUnavailable:
    """Return the error to raise instead of one of the driver, with a sentence for those who run the database.

    Args:
        error: what the driver raised.
        url: the URL of the database.
        user: the user who logged in.

    Returns:
        DatabaseUnusable if only a person can help; else DatabaseUnavailable.

    """
    place, detail = describe_place(url, user), _detail(error)
    cause = _cause_of_file(error, url) if url.get_backend_name() == "sqlite" else _cause_of_server(error)
    if cause is not None:
        return DatabaseUnusable(causes.sentence(place, cause, detail))
    if _is_silent(error):
        return DatabaseUnavailable(f"{place} does not answer; {causes.CHECK_SERVER} ({detail})")
    return DatabaseUnavailable(f"cannot use {place} ({detail})")


def describe(error: BaseException) -> str:
    """Return an error for the log: the driver's class and code, but never a statement, a value or a URL."""
    if isinstance(error, DBAPIError):
        return f"{type(error.orig).__name__} {code_of(error) or ''}".rstrip()
    return type(error).__name__


def _is_silent(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        return code_of(error) in SILENT_CODES
    return isinstance(error, TimeoutError)


def _detail(error: BaseException) -> str:
    """Return what the database has said; it may name the host and the user, but no statement and no value."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if not isinstance(error, DBAPIError) or error.orig is None:
        return str(error) or type(error).__name__
    code = code_of(error)
    return str(error.orig) if code is None else f"{code}: {error.orig.args[-1]}"


def _cause_of_server(error: BaseException) -> causes.Cause | None:
    if not isinstance(error, DBAPIError):
        return None
    tls = error.orig.__cause__ if error.orig is not None else None
    if isinstance(tls, ssl.SSLCertVerificationError):
        return causes.CERTIFICATE
    if isinstance(tls, ssl.SSLError) and tls.reason in PLAINTEXT_REASONS:
        return causes.TLS_MISSING
    return causes.CAUSES.get(code_of(error) or 0)


def _cause_of_file(error: BaseException, url: URL) -> causes.Cause | None:
    name = getattr(error.orig, "sqlite_errorname", "") if isinstance(error, DBAPIError) else ""
    return causes.cause_of_sqlite(name, _state_of(url.database or "")) if name else None


def _state_of(path: str) -> causes.FileState:
    folder = Path(path).parent
    return causes.FileState(
        has_folder=os.path.lexists(folder),
        is_folder=os.path.isdir(path),  # noqa: PTH112  # Path's own raises what may not be read
        may_create=os.access(folder, os.W_OK | os.X_OK, effective_ids=True),
    )
