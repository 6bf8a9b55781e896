"""What an error of MySQL or MariaDB means for a transaction: the one table of error numbers.

Galera and Group Replication may answer COMMIT with each of them, too. An error that is not in the
table is final: the same transaction would fail again.
"""

from enum import Enum

from sqlalchemy.exc import DBAPIError


class Refusal(Enum):
    """Why a transaction was not committed, and so what to do about it."""

    CONFLICT = "conflict"
    """Another transaction was first: run this one again."""
    ELSEWHERE = "elsewhere"
    """This node cannot write, but another one may: close its connections and connect anew."""
    TOO_LARGE = "too_large"
    """The transaction is larger than the server allows: a smaller one may succeed."""


CANNOT_CONNECT = 2003
"""Nothing listens. Behind a proxy or a name, a node that takes over does so in seconds."""
LOCK_WAIT_TIMEOUT = 1205
"""Another transaction holds a lock. A transaction that is tried again waits anew, whatever its size."""
UNKNOWN_VARIABLE = 1193
"""ER_UNKNOWN_SYSTEM_VARIABLE: only one of the engines has it."""

REFUSALS: dict[int, Refusal] = {
    LOCK_WAIT_TIMEOUT: Refusal.CONFLICT,  # ER_LOCK_WAIT_TIMEOUT
    1213: Refusal.CONFLICT,  # ER_LOCK_DEADLOCK; Galera: certification failed
    1180: Refusal.CONFLICT,  # ER_ERROR_DURING_COMMIT: Group Replication rolled the commit back
    3101: Refusal.CONFLICT,  # ER_TRANSACTION_ROLLBACK_DURING_COMMIT: Group Replication, certification failed
    1047: Refusal.ELSEWHERE,  # ER_UNKNOWN_COM_ERROR: a Galera node without its cluster takes no statement
    1053: Refusal.ELSEWHERE,  # ER_SERVER_SHUTDOWN
    1290: Refusal.ELSEWHERE,  # ER_OPTION_PREVENTS_STATEMENT: read_only, on a primary that was demoted
    1836: Refusal.ELSEWHERE,  # ER_READ_ONLY_MODE
    3100: Refusal.ELSEWHERE,  # ER_RUN_HOOK_ERROR: a Group Replication member that lost its group
    CANNOT_CONNECT: Refusal.ELSEWHERE,  # CR_CONN_HOST_ERROR
    2006: Refusal.ELSEWHERE,  # CR_SERVER_GONE_ERROR
    2013: Refusal.ELSEWHERE,  # CR_SERVER_LOST
    1105: Refusal.TOO_LARGE,  # ER_UNKNOWN_ERROR: Galera, above wsrep_max_ws_size
    1153: Refusal.TOO_LARGE,  # ER_NET_PACKET_TOO_LARGE: above max_allowed_packet
    1197: Refusal.TOO_LARGE,  # ER_TRANS_CACHE_FULL: above max_binlog_cache_size
}


def refusal_of(error: BaseException) -> Refusal | None:
    """Return what an error means for its transaction; None if it is final, or no error of the database."""
    if not isinstance(error, DBAPIError):
        return None
    code = code_of(error)
    if code in REFUSALS:
        return REFUSALS[code]
    return Refusal.ELSEWHERE if error.connection_invalidated else None


def code_of(error: DBAPIError) -> int | None:
    """Return the number of an error; None if it has none, as those of SQLite."""
    code = error.orig.args[0] if error.orig is not None and error.orig.args else None
    return code if isinstance(code, int) else None
