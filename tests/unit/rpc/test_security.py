"""The warnings about a server that other machines can reach."""

from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from rpc.callers.limits import UNLIMITED
from rpc.serving.security import ServerSecurity
from services.progress.settings import ProgressSettings
from tests.support.certificates import Authority

OPEN = "callers need neither a token nor a certificate"
PLAINTEXT = "tokens are sent in plaintext: encrypt the network, or set up TLS"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return settings by what they set up."""
    folder = tmp_path_factory.mktemp("security")
    tokens: Path = folder / "tokens.toml"
    tokens.touch()
    mutual_tls = Authority("ours").mutual_tls(folder)
    tls = {name: value for name, value in mutual_tls.items() if name != "tls_client_ca_file"}
    with_tokens = {"tokens_file": tokens}
    return {
        "nothing": {},
        "tls": tls,
        "mutual tls": mutual_tls,
        "tokens": with_tokens,
        "tls and tokens": tls | with_tokens,
    }


@pytest.mark.parametrize(
    ("what", "listen", "warnings"),
    [
        ("nothing", "0.0.0.0:1", [OPEN]),
        ("nothing", "127.0.0.1:1", []),
        ("tls", "0.0.0.0:1", [OPEN]),
        ("mutual tls", "0.0.0.0:1", []),
        ("tokens", "0.0.0.0:1", [PLAINTEXT]),
        ("tokens", "localhost:1", []),
        ("tls and tokens", "0.0.0.0:1", []),
    ],
)
def test_open_server_is_warned_about(
    settings: dict[str, dict[str, Any]], what: str, listen: str, warnings: list[str]
) -> None:
    """Other machines need a token or a certificate, and tokens need encryption."""
    security = ServerSecurity(ProgressSettings(**settings[what]), {}, UNLIMITED)
    with capture_logs() as log:
        security.warn(listen)
    assert [line["event"] for line in log] == warnings
