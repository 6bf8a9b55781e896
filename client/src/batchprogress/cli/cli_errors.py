"""What is said instead of a traceback: one sentence, what to do, and an exit code for scripts."""

from enum import IntEnum

import grpc

from batchprogress._grpc.retry import Failure
from batchprogress.cli.formatting import clean


class Exit(IntEnum):
    """Exit codes; help tells them too."""

    COMPLETED = 0
    WITH_FAILURES = 1
    USAGE = 2
    CANCELLED = 3
    NOT_FOUND = 4
    UNAVAILABLE = 5
    REFUSED = 6
    MOVED = 7


ADVICE = {
    "BATCH_NOT_FOUND": "`batchprogress list` shows which there are",
    "BATCH_CONFLICT": "give it the same numbers, or another id",
    "BATCH_SEALED": "create batches that grow with --unsealed",
    "BATCH_CANCELLED": "create another batch",
    "BATCH_COMPLETED": "it cannot be cancelled any more",
    "REQUEST_CONFLICT": "use another --request-id for another addition",
    "RESULT_CONFLICT": "the first result stays; report a retry with a higher --attempt",
    "BATCH_FULL": "check the job id, or create batches that grow with --unsealed",
}
"""What to do about a refusal, by its reason."""

_BY_CODE = {
    grpc.StatusCode.NOT_FOUND: Exit.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT: Exit.USAGE,
}
_ABOUT_THE_WAY = {
    grpc.StatusCode.UNAUTHENTICATED: "wants a token: give a valid one with --token-file",
    grpc.StatusCode.PERMISSION_DENIED: "does not let this token do it: give another one with --token-file",
    grpc.StatusCode.UNIMPLEMENTED: "is no Batch Progress server, or an older one: check --server",
}


class Complaint(Exception):
    """The end of a command that did not do what it was asked."""

    def __init__(self, sentence: str, code: Exit) -> None:
        """Hold the sentence and the exit code."""
        super().__init__(sentence)
        self.code = code


def no_batch(batch_id: str) -> Complaint:
    """Complain that there is no such batch."""
    return Complaint(f"there is no batch {clean(batch_id)}: {ADVICE['BATCH_NOT_FOUND']}", Exit.NOT_FOUND)


def away(server: str, seconds: float, last: Failure | None) -> Complaint:
    """Complain that no answer came in time; `last` is why, as far as anyone said."""
    why = f" ({reason_of(last)})" if last is not None else ""
    return Complaint(
        f"the server at {server} did not answer for {seconds:g} s{why}: is it running, and --server right?"
        " --timeout waits longer",
        Exit.UNAVAILABLE,
    )


def refused(failure: Failure, server: str) -> Complaint:
    """Complain of an answer that trying again does not change."""
    if failure.code in _ABOUT_THE_WAY:
        return Complaint(f"the server at {server} {_ABOUT_THE_WAY[failure.code]}", Exit.REFUSED)
    sentence = clean(failure.message) or failure.code.name
    if not failure.reason:  # not the contract's: a proxy's, for instance
        sentence = f"the server at {server} answers {failure.code.name}: {sentence}"
    elif failure.reason == "INTERNAL":
        sentence = f"the server at {server} has a defect: its log holds the cause"
    if failure.reason in ADVICE:
        sentence += f": {ADVICE[failure.reason]}"
    return Complaint(sentence, _BY_CODE.get(failure.code, Exit.REFUSED))


def reason_of(failure: Failure) -> str:
    """Return why there was no answer: of gRPC's long story the end, which tells the cause."""
    cause = clean(failure.message).rpartition("last error: ")[2]
    return cause.removeprefix("UNKNOWN: ").removeprefix("UNAVAILABLE: ") or failure.code.name
