"""A server with incomplete security settings exits 78 with one sentence, which contains no secret."""

import sys
from pathlib import Path
from typing import Any

import pytest

from batches.settings import DatabaseSettings
from process.configuration import EXIT_BAD_CONFIGURATION, load
from reconciler.settings import ReconcilerSettings
from rpc.callers.limits import UNLIMITED
from rpc.serving.security import ServerSecurity
from rpc.telemetry.telemetry import Telemetry
from services.gateway.settings import GatewaySettings
from services.progress.settings import ProgressSettings
from tests.integration.security.conftest import Issuer, Tokens
from tests.support.certificates import Authority
from tests.support.progress import progress_process

INCOMPLETE: dict[str, tuple[type[Any], dict[str, str], str]] = {
    "a certificate without its key": (
        ProgressSettings,
        {"PROGRESS_TLS_CERTIFICATE_FILE": "c.pem"},
        "PROGRESS_TLS_CERTIFICATE_FILE is set, so set PROGRESS_TLS_KEY_FILE too",
    ),
    "an authority without a certificate": (
        ProgressSettings,
        {"PROGRESS_TLS_CLIENT_CA_FILE": "ca.pem"},
        "PROGRESS_TLS_CLIENT_CA_FILE needs PROGRESS_TLS_CERTIFICATE_FILE",
    ),
    "an issuer's key alone": (
        ProgressSettings,
        {"PROGRESS_JWT_KEY_FILE": "k.pem"},
        (
            "PROGRESS_JWT_KEY_FILE is set, so set"
            " PROGRESS_JWT_ALGORITHM, PROGRESS_JWT_AUDIENCE, PROGRESS_JWT_ISSUER too"
        ),
    ),
    "an algorithm whose key is a secret": (
        ProgressSettings,
        {"PROGRESS_JWT_ALGORITHM": "HS256"},
        "PROGRESS_JWT_ALGORITHM: must be 'RS256', 'PS256', 'ES256' or 'EdDSA'",
    ),
    "no address": (
        ProgressSettings,
        {"PROGRESS_METRICS_LISTEN": "9464"},
        "PROGRESS_METRICS_LISTEN: must be host:port",
    ),
    "an address without a port": (
        ProgressSettings,
        {"PROGRESS_LISTEN": "127.0.0.1"},
        "PROGRESS_LISTEN: must be host:port",
    ),
    "a port that is too large": (
        ProgressSettings,
        {"PROGRESS_LISTEN": "127.0.0.1:80000"},
        "PROGRESS_LISTEN: must be host:port",
    ),
    "a URL of HTTP for a gRPC server": (
        ReconcilerSettings,
        {"RECONCILER_JOB_STATUS_TARGET": "http://job-status:50052"},
        "RECONCILER_JOB_STATUS_TARGET: must be host:port, or a gRPC name such as dns:///host:port",
    ),
    "a server without a port": (
        GatewaySettings,
        {"GATEWAY_PROGRESS_TARGET": "progress"},
        "GATEWAY_PROGRESS_TARGET: must be host:port, or a gRPC name such as dns:///host:port",
    ),
    "a collector without a scheme": (
        ProgressSettings,
        {"PROGRESS_TRACES_ENDPOINT": "collector:4317"},
        "PROGRESS_TRACES_ENDPOINT: must be http://host:port or https://host:port",
    ),
    "a file of tokens that is not there": (
        ProgressSettings,
        {"PROGRESS_TOKENS_FILE": "/nowhere/tokens"},
        "PROGRESS_TOKENS_FILE: /nowhere/tokens cannot be read: No such file or directory",
    ),
    "a reconciler's certificate without its key": (
        ReconcilerSettings,
        {"RECONCILER_JOB_STATUS_CERTIFICATE_FILE": "c.pem"},
        "RECONCILER_JOB_STATUS_CERTIFICATE_FILE and RECONCILER_JOB_STATUS_KEY_FILE go together",
    ),
    "a URL and a file of it": (
        DatabaseSettings,
        {"BATCHES_DATABASE_URL": "sqlite+aiosqlite:///s3cret", "BATCHES_DATABASE_URL_FILE": "url"},
        "set BATCHES_DATABASE_URL or BATCHES_DATABASE_URL_FILE, not both",
    ),
    "a file that is not there": (
        DatabaseSettings,
        {"BATCHES_DATABASE_URL_FILE": "/nowhere/url"},
        "BATCHES_DATABASE_URL_FILE: /nowhere/url cannot be read: No such file or directory",
    ),
}


@pytest.mark.parametrize("what", INCOMPLETE)
def test_incomplete_settings_are_refused(
    what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The sentence names all settings of the combination."""
    settings, environment, sentence = INCOMPLETE[what]
    monkeypatch.chdir(tmp_path)
    for file in ("c.pem", "ca.pem", "k.pem"):
        Path(file).touch()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as exited:
        load(settings)
    assert exited.value.code == EXIT_BAD_CONFIGURATION
    assert capsys.readouterr().err == f"configuration: {sentence}\n"


def test_database_url_is_read_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BATCHES_DATABASE_URL_FILE replaces the variable and is validated like it."""
    file = tmp_path / "url"
    file.write_text("sqlite+aiosqlite:///of-a-file.db\n", encoding="ascii")
    monkeypatch.delenv("BATCHES_DATABASE_URL", raising=False)
    monkeypatch.setenv("BATCHES_DATABASE_URL_FILE", str(file))
    url = load(DatabaseSettings).database_url
    assert url.get_secret_value() == "sqlite+aiosqlite:///of-a-file.db"
    file.write_text("postgresql://u:s3cret@h/d", encoding="ascii")
    with pytest.raises(SystemExit):
        load(DatabaseSettings)


def broken_files(folder: Path, tokens: Tokens) -> dict[str, tuple[dict[str, Any], str]]:
    """Return settings whose files cannot be used, each with its message."""
    certificate, _ = Authority("a").sign("one").write(folder, "one")
    _, other_key = Authority("a").sign("two").write(folder, "two")
    garbage, private = folder / "garbage", folder / "private.pem"
    garbage.write_text("s3cret", encoding="ascii")
    private.write_bytes(Issuer().private_pem)
    tokens.path.write_text('[[token]]\nname = "s3cret"\nsha256 = "s3cret"\nroles = ["s3cret"]\n')
    jwt = {"jwt_algorithm": "ES256", "jwt_audience": "a", "jwt_issuer": "i"}
    return {
        "a key of another certificate": (
            {"tls_certificate_file": certificate, "tls_key_file": other_key},
            f"{other_key} is not the key of {certificate}",
        ),
        "no certificate": (
            {"tls_certificate_file": garbage, "tls_key_file": other_key},
            f"{garbage} holds no certificate in PEM",
        ),
        "no key": (
            {"tls_certificate_file": certificate, "tls_key_file": garbage},
            f"{garbage} holds no private key in PEM without a password",
        ),
        "no tokens": ({"tokens_file": garbage}, f"{garbage} is not TOML"),
        "tokens of another kind": ({"tokens_file": tokens.path}, f"{tokens.path}: token.0.sha256: "),
        "a private key to verify with": (
            {"jwt_key_file": private, **jwt},
            f"{private} holds no public key for ES256",
        ),
        "a key of another kind": (
            {"jwt_key_file": garbage, **jwt, "jwt_algorithm": "EdDSA"},
            f"{garbage} holds no public key for EdDSA",
        ),
    }


def test_unusable_files_are_refused(
    tmp_path: Path, tokens: Tokens, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence names the file and quotes nothing of it."""
    for what, (settings, sentence) in broken_files(tmp_path, tokens).items():
        with pytest.raises(SystemExit) as exited:
            ServerSecurity(ProgressSettings(**settings), {}, UNLIMITED)
        output = capsys.readouterr().err
        assert (exited.value.code, sentence in output) == (EXIT_BAD_CONFIGURATION, True), (what, output)
        assert output.count("\n") == 1
        assert "s3cret" not in output


def test_traces_without_their_extra_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "rpc.telemetry.tracing", raising=False)
    with pytest.raises(SystemExit) as exited:
        Telemetry(ProgressSettings(traces_endpoint="http://127.0.0.1:4317"), "s", ())
    assert exited.value.code == EXIT_BAD_CONFIGURATION
    assert "the extra `traces`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("listen", "with_tokens", "warning"),
    [
        ("0.0.0.0:0", False, "callers need neither a token nor a certificate"),
        ("0.0.0.0:0", True, "tokens are sent in plaintext"),
        ("127.0.0.1:0", False, ""),
    ],
)
async def test_open_server_logs_a_warning_at_start(
    sqlite_url: str, tokens: Tokens, listen: str, warning: str, *, with_tokens: bool
) -> None:
    settings = {"PROGRESS_TOKENS_FILE": str(tokens.path)} if with_tokens else {}
    async with progress_process(sqlite_url, listen=listen, **settings) as process:
        assert warning in process.log
        assert ('"level": "warning"' in process.log) is bool(warning)
