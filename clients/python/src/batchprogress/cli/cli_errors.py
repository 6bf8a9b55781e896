"""The end of a command that failed: one sentence with what to do, and an exit code for scripts."""

from enum import IntEnum

from batchprogress.cli.formatting import clean
from batchprogress.errors import (
    BatchNotFound,
    CallFailed,
    DeliveryNotFound,
    InvalidRequest,
    PermissionDenied,
    ProxyAnswered,
    ResultNotFound,
    ServerError,
    ServerTooOld,
    Unauthenticated,
    Unavailable,
)


class ExitCode(IntEnum):
    """The exit codes that `--help` lists."""

    COMPLETED = 0
    WITH_FAILURES = 1
    USAGE = 2
    CANCELLED = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5
    REFUSED = 6
    MOVED = 7


ADVICE = {
    "DELIVERY_NOT_FOUND": "`batchprogress deliveries` shows those that exist",
    "RESULT_NOT_FOUND": "it is pending, or is not a job of this batch",
    "BATCH_NOT_FOUND": "`batchprogress list` shows the batches that exist",
    "BATCH_CONFLICT": "give the same numbers, or another id",
    "BATCH_ENDED": "give each run an id of its own, or replace the batch with --if-ended replace",
    "IF_ENDED_IGNORED": "upgrade the server",
    "BATCH_SEALED": "create batches that grow with --unsealed",
    "BATCH_CANCELLED": "create another batch",
    "BATCH_COMPLETED": "a completed batch stays completed",
    "BATCH_PROCESSING": "cancel it first",
    "REQUEST_CONFLICT": "give another --request-id for another addition",
    "RESULT_CONFLICT": "the first result stays; report a retry with a higher --attempt",
    "NOTIFY_URL_REFUSED": "ask the operator of the server to add its host",
    "WATCH_TOKENS_OFF": "set PROGRESS_WATCH_TOKEN_KEY_FILE on a server with tokens, or watch without one",
    "TOO_MANY_BATCHES": "give more labels, or a longer --prefix",
    "BATCH_FULL": "check the job id, or create batches that grow with --unsealed",
}
"""What to do about a refusal, by its reason."""

_OF_THE_SERVER = frozenset({"TOTAL_TOO_LARGE", "NOTIFY_URL_REFUSED"})
"""They depend on the batch or on the settings of the server, not only on the arguments."""

_SERVER_SENTENCES: dict[type[CallFailed], str] = {
    Unauthenticated: "asks for a token: give a valid one with --token-file",
    PermissionDenied: "does not allow this with the given token: give another one with --token-file",
    ServerTooOld: "is older than this command and does not know it: upgrade the server",
    ServerError: "has a defect: its log holds the cause",
}


class CommandError(Exception):
    """A command failed; `code` is the exit code."""

    def __init__(self, sentence: str, code: ExitCode) -> None:
        super().__init__(sentence)
        self.code = code


def command_error(error: CallFailed, server: str) -> CommandError:
    """Return how a command ends whose call failed."""
    if isinstance(error, BatchNotFound):
        return CommandError(
            f"there is no batch {clean(error.batch_id)}: {ADVICE['BATCH_NOT_FOUND']}", ExitCode.NOT_FOUND
        )
    if isinstance(error, Unavailable):
        return unavailable(server, error.seconds, clean(error.detail))
    if isinstance(error, ProxyAnswered):
        return CommandError(clean(str(error)), ExitCode.REFUSED)
    if type(error) in _SERVER_SENTENCES and error.reason not in ADVICE:
        return CommandError(f"the server at {server} {_SERVER_SENTENCES[type(error)]}", ExitCode.REFUSED)
    sentence = clean(error.detail) or error.reason
    if error.reason in ADVICE:
        sentence += f": {ADVICE[error.reason]}"
    if isinstance(error, (ResultNotFound, DeliveryNotFound)):
        return CommandError(sentence, ExitCode.NOT_FOUND)
    is_usage = isinstance(error, InvalidRequest) and error.reason not in _OF_THE_SERVER
    return CommandError(sentence, ExitCode.USAGE if is_usage else ExitCode.REFUSED)


def unavailable(server: str, seconds: float, cause: str) -> CommandError:
    """Return how a command ends that got no answer in time; the cause may be unknown."""
    why = f" ({cause})" if cause else ""
    return CommandError(
        f"the server at {server} did not answer for {seconds:.3g} s{why}: check that it runs and that the"
        " address is right, or wait longer with --timeout",
        ExitCode.UNAVAILABLE,
    )
