"""Whether the node of the database is still a member of its cluster."""

from contextlib import suppress

import pytest

from batches.errors import DatabaseUnavailable, NodeLeft, NodeNotWritable
from services.progress.membership import Membership


async def _check(membership: Membership) -> bool:
    with suppress(DatabaseUnavailable):
        await membership.check()
    return membership.has_left


@pytest.mark.parametrize(
    ("then", "has_left"),
    [(None, False), (NodeNotWritable, False), (NodeLeft, True), (DatabaseUnavailable, True)],
)
async def test_a_node_has_left_until_it_answers_as_a_member(
    then: type[DatabaseUnavailable] | None,
    has_left: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """A member that only reads is one, and no answer tells nothing."""
    answers = iter([NodeLeft, then])

    async def answer() -> None:
        error = next(answers)
        if error is not None:
            raise error

    membership = Membership(answer)
    assert await _check(membership)
    assert await _check(membership) is has_left
