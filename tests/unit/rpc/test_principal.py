"""Which batches exist for a caller."""

import pytest

from rpc.callers.principal import Principal, Role


@pytest.mark.parametrize(
    ("prefix", "batch_id", "owned"),
    [
        ("", "anything", True),
        ("billing-", "billing-", True),
        ("billing-", "billing-1", True),
        ("billing-", "my-billing-1", False),
        ("billing-", "Billing-1", False),
        ("billing-", "billing", False),
    ],
)
def test_caller_owns_the_batches_that_begin_with_its_prefix(
    prefix: str, batch_id: str, *, owned: bool
) -> None:
    """A prefix elsewhere in the id, or in another case, does not count."""
    assert Principal("someone", frozenset(Role), prefix).owns(batch_id) is owned
