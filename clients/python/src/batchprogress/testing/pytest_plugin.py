"""A fixture of pytest with a server in memory for each test.

In the conftest.py at the root of the tests:

    pytest_plugins = ["batchprogress.testing.pytest_plugin"]

In a test:

    def test_import_reports_every_row(progress_server):
        run_import(progress_server.target)
        assert progress_server.client.get("import").succeeded_jobs == 3
"""

from collections.abc import Iterator

import pytest

from batchprogress._disabled import VARIABLE
from batchprogress.testing import Server, server


@pytest.fixture
def progress_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve batches from memory for one test, also where BATCHPROGRESS_DISABLED switches reporting off.

    The environment names it as BATCHPROGRESS_SERVER meanwhile, which the command line reads.
    """
    monkeypatch.delenv(VARIABLE, raising=False)
    with server() as running:
        monkeypatch.setenv("BATCHPROGRESS_SERVER", running.target)
        yield running
