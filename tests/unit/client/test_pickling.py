"""Reporters and clients are sent to other processes, which Python 3.14 starts without a fork."""

import pickle
from pathlib import Path

import grpc
import pytest

from batchprogress import AsyncClient, AsyncReporter, Client, Reporter, TlsFiles
from database_servers.ports import free_port
from tests.support.certificates import Authority


@pytest.mark.parametrize("kind", [Reporter, AsyncReporter])
def test_a_reporter_pickles_without_its_reports(kind: type[Reporter] | type[AsyncReporter]) -> None:
    """The copy has the options and an empty buffer; the reports stay where they were made."""
    reporter = kind(f"127.0.0.1:{free_port()}", "b", token="t", strict=True, exit_seconds_max=0.0)
    reporter.succeeded("a")
    copy = pickle.loads(pickle.dumps(reporter))  # noqa: S301
    assert copy.__getstate__() == reporter.__getstate__()
    assert copy.__getstate__()["batch_id"] == "b"
    assert (copy.counts.pending, reporter.counts.pending) == (0, 1)
    copy.succeeded("b")
    assert copy.counts.pending == 1


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_client_pickles(kind: type[Client] | type[AsyncClient]) -> None:
    """The copy makes the same calls over a connection of its own."""
    client = kind("progress:50051", token="t", timeout=3.0, retry=False)
    copy = pickle.loads(pickle.dumps(client))  # noqa: S301
    assert copy.connection == client.connection
    assert copy.__getstate__() == client.__getstate__()


@pytest.mark.parametrize("kind", [Reporter, Client])
def test_credentials_of_grpc_do_not_pickle_and_the_error_says_so(kind: type[Reporter] | type[Client]) -> None:
    """They cannot be read again."""
    made = kind("progress:50051", credentials=grpc.ssl_channel_credentials())
    with pytest.raises(TypeError, match="Give TlsFiles"):
        pickle.dumps(made)


def test_files_of_certificates_pickle_as_paths(tmp_path: Path) -> None:
    """No private key is in the pickle."""
    certificate, key = Authority("test").sign("worker").write(tmp_path, "own")
    files = TlsFiles(certificate=certificate, key=key)
    pickled = pickle.dumps(files)
    assert b"PRIVATE KEY" not in pickled
    assert pickle.loads(pickled).certificates() == files.certificates()  # noqa: S301
