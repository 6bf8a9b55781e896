"""Every error of the domain has its documented answer."""

import pytest

from batches import errors as batch_errors
from batches.errors import BatchError
from rpc.answers.error_table import refusal_of
from services.progress.status import ERRORS

ARGUMENTS = {
    "BatchConflict": ("b", 1),
    "TotalTooLarge": ("b", 1),
    "RequestConflict": ("b", "r", 1),
    "BatchFull": ("b", "j", 1),
    "ResultConflict": ("b", "j", 1, "FAILED"),
}


@pytest.mark.parametrize("kind", BatchError.__subclasses__(), ids=lambda kind: kind.__name__)
def test_every_batch_error_has_an_answer(kind: type[BatchError]) -> None:
    """The reason is the error's name in upper snake case, as the contract has it."""
    options = {"sealed": True} if kind is batch_errors.BatchConflict else {}
    refusal = refusal_of(kind(*ARGUMENTS.get(kind.__name__, ("b",)), **options), ERRORS)
    assert refusal is not None
    assert refusal.reason.replace("_", "").lower() == kind.__name__.lower()


def test_a_defect_has_no_answer_of_its_own() -> None:
    """An unknown exception is left to the boundary, which answers INTERNAL without its text."""
    assert refusal_of(ValueError("secret"), ERRORS) is None
