"""`bar` and `map` in a notebook that a real kernel executes."""

from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from batchprogress.testing import Server
from batchprogress.testing.pytest_plugin import progress_server

pytestmark = pytest.mark.more("starts a kernel")

__all__ = ["progress_server"]

SECONDS_MAX = 60

CELLS = """\
import threading
from concurrent.futures import ThreadPoolExecutor

import batchprogress
from batchprogress import Client, Reporter, bar

client = Client(TARGET)
reporter = Reporter(TARGET, "b")
client.create("b", 2, display_name="<Größe>")
reporter.succeeded("1")
reporter.flush()
# ---
threading.Timer(0.5, lambda: reporter.failed("2", "broken")).start()
bar(TARGET, "b")
# ---
last = bar(TARGET, "b")
# ---
last
# ---
with ThreadPoolExecutor(2) as executor:
    results = batchprogress.map(executor, len, ["a", "bc"], target=TARGET)
# ---
try:
    bar("127.0.0.1:1", "b", timeout=2)
except batchprogress.WaitTimeout:
    pass
"""


@pytest.fixture
def outputs(progress_server: Server) -> list[list[Any]]:
    """Execute the cells; return the outputs of each."""
    sources = CELLS.replace("TARGET", repr(progress_server.target)).split("# ---\n")
    v4: Any = nbformat.v4  # its functions have no annotations
    notebook = v4.new_notebook(cells=[v4.new_code_cell(one) for one in sources])
    NotebookClient(
        notebook, kernel_name="python3", timeout=SECONDS_MAX, startup_timeout=SECONDS_MAX
    ).execute()
    return [cell.outputs for cell in notebook.cells]


def test_a_notebook_shows_one_bar_that_is_updated_in_place(outputs: list[list[Any]]) -> None:
    """It is HTML, and nothing appears as the result of the cell."""
    _, first, assigned, evaluated, mapped, waiting = outputs
    (shown,) = first
    assert shown.output_type == "display_data"
    html = shown.data["text/html"]
    assert '<progress max="100" value="100" aria-label="&lt;Größe&gt;"' in html
    assert "100 % 2/2, 1 failed, completed" in html
    assert shown.data["text/plain"].endswith("2/2, 1 failed, completed")
    assert [one.output_type for one in assigned] == ["display_data"]
    (value,) = evaluated  # it is the user's own wish to see it
    assert value.output_type == "execute_result"
    assert 'batch_id: "b"' in value.data["text/plain"]
    (bar,) = mapped
    assert bar.data["text/plain"].endswith("2/2, completed")
    (sentence,) = waiting
    assert "waiting for 127.0.0.1:1" in sentence.data["text/html"]
