"""Why a batch cannot be shown now, or no longer."""

import grpc

from rpc.answers.refusal import Refusal
from services.gateway.contract.answers import Answer, to_answer, unreached


class Problem(Exception):
    """A problem, as viewers are told.

    Args:
        answer: the answer to a request that meets it.
        is_final: whether it will not pass, for example since the batch is gone.
        retry_seconds: the delay before another try that the server asks for.

    """

    def __init__(self, answer: Answer, *, is_final: bool = False, retry_seconds: float = 0.0) -> None:
        super().__init__(answer.message)
        self.answer = answer
        self.is_final = is_final
        self.retry_seconds = retry_seconds

    def is_like(self, other: "Problem | None") -> bool:
        """Return whether a viewer that was told the other one knows this one, too."""
        return other is not None and self.answer.message == other.answer.message


def away() -> Problem:
    """Return the problem of a server that was reached and is no longer."""
    return Problem(to_answer(unreached(grpc.StatusCode.UNAVAILABLE)))


def gone(batch_id: str) -> Problem:
    """Return the problem of a batch that another one has replaced."""
    message = f"there is no batch {batch_id} any more: another one has its id"
    refusal = Refusal(grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND", message)
    return Problem(to_answer(refusal), is_final=True)


def defective() -> Problem:
    """Return the problem of viewers whose gateway fails."""
    return Problem(to_answer(Refusal(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error")))
