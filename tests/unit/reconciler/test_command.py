"""Which options the command refuses, before it opens anything."""

import pytest
from typer.testing import CliRunner

from reconciler.__main__ import app

REFUSED = {
    "an end without a batch": (("--end-pending-as", "failed"), "needs --batch-id"),
    "an end of all batches": (("--all", "--end-pending-as", "failed"), "needs --batch-id"),
    "an unknown outcome": (("--batch-id", "batch", "--end-pending-as", "lost"), "'lost' is not one of"),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_a_person_ends_one_batch_by_its_name(arguments: tuple[str, ...], sentence: str) -> None:
    ended = CliRunner().invoke(app, arguments, env={"TERMINAL_WIDTH": "200"})
    assert (ended.exit_code, sentence in ended.output) == (2, True), ended.output
