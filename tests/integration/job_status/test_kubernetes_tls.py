"""The connection to the API server with TLS, while its certificates and our token are replaced."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from kubernetes.aio.config import incluster_config
from structlog.testing import capture_logs

from services.job_status.source import QueueUnavailable
from services.job_status.sources import kubernetes_connection
from services.job_status.sources.kubernetes import KubernetesSource
from tests.integration.job_status.kubernetes_api import TOKEN, ApiServer, kubeconfig, serving_api
from tests.integration.job_status.kubernetes_cluster import LABEL
from tests.support.certificates import Authority


class SecureApi:
    """An API server with a certificate of an authority, and a pod's files for it."""

    def __init__(self, folder: Path) -> None:
        self.api = ApiServer()
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.config, self.ca_file, self.token_file = folder / "config", folder / "ca.pem", folder / "token"
        self.authority = Authority("first")
        self._folder = folder
        self.url = ""

    def write_files(self, token: str = TOKEN) -> None:
        """Write all files of the pod."""
        self.authority.write(self._folder)
        self.token_file.write_text(token, encoding="ascii")
        config = kubeconfig(self.url, token, **{"certificate-authority": str(self.ca_file)})
        self.config.write_text(config, encoding="ascii")

    def renew_certificate(self) -> None:
        """Serve a certificate of the authority of now to new connections."""
        certificate, key = self.authority.sign("api").write(self._folder, "api")
        self.tls.load_cert_chain(certificate, key)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SecureApi]:
    """Serve, with all files in place."""
    server = SecureApi(tmp_path)
    server.renew_certificate()
    async with serving_api(server.api, server.tls) as server.url:
        server.write_files()
        yield server


@pytest.fixture(params=["kubeconfig", "service account"])
async def source(
    request: pytest.FixtureRequest, server: SecureApi, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[KubernetesSource]:
    """Return the source, outside of the cluster and in a pod of it."""
    config_file = server.config if request.param == "kubeconfig" else None
    monkeypatch.setenv(incluster_config.SERVICE_HOST_ENV_NAME, "127.0.0.1")
    monkeypatch.setenv(incluster_config.SERVICE_PORT_ENV_NAME, server.url.rpartition(":")[2])
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(server.token_file))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(server.ca_file))
    source = KubernetesSource("jobs", LABEL, config_file=config_file)
    yield source
    await source.close()


@pytest.fixture
def _renewed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubernetes_connection, "RENEWED_SECONDS_MIN", 0.0)


@pytest.fixture
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check certificates as Python 3.13 does by default."""
    create = ssl.create_default_context

    def create_strict(cafile: str | None = None, cadata: str | None = None) -> ssl.SSLContext:
        context = create(cafile=cafile, cadata=cadata)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", create_strict)


@pytest.mark.usefixtures("_strict")
async def test_authority_without_key_usage_is_refused_with_the_name_of_the_setting(server: SecureApi) -> None:
    """A person who reads the log knows what to do."""
    source = KubernetesSource("jobs", LABEL, config_file=server.config)
    with capture_logs() as logs, pytest.raises(QueueUnavailable):
        await source.check()
    await source.close()
    assert "key usage" in logs[0]["cause"]
    assert "set JOB_STATUS_KUBERNETES_STRICT_TLS=false" in logs[0]["cause"]


@pytest.mark.usefixtures("_strict")
async def test_authority_without_key_usage_is_accepted_if_the_setting_says_so(server: SecureApi) -> None:
    """Certificates of another authority are refused all the same, without a word about the setting."""
    source = KubernetesSource("jobs", LABEL, config_file=server.config, strict_tls=False)
    await source.check()
    await source.close()
    server.authority = Authority("another")
    server.write_files()
    source = KubernetesSource("jobs", LABEL, config_file=server.config, strict_tls=False)
    with capture_logs() as logs, pytest.raises(QueueUnavailable):
        await source.check()
    await source.close()
    assert "STRICT_TLS" not in logs[0]["cause"]


@pytest.mark.usefixtures("_renewed_at_once")
async def test_replaced_authority_needs_no_restart(server: SecureApi, source: KubernetesSource) -> None:
    """The files may come after the server's new certificate."""
    await source.check()
    server.authority = Authority("second")
    server.renew_certificate()
    server.api.closes = True
    await source.check()  # over the connection that is open
    with pytest.raises(QueueUnavailable):
        await source.check()
    server.write_files()
    await source.check()


@pytest.mark.usefixtures("_renewed_at_once")
async def test_rotated_token_needs_no_restart(server: SecureApi, source: KubernetesSource) -> None:
    """It is read again when the server refuses the old one."""
    await source.check()
    server.api.token = "the-second-token"  # of the test
    with pytest.raises(QueueUnavailable):
        await source.check()
    server.write_files("the-second-token")
    await asyncio.gather(*(source.check() for _ in range(5)))


async def test_refused_token_is_not_read_again_with_each_call(
    server: SecureApi, source: KubernetesSource
) -> None:
    """Readiness probes alone ask every two seconds."""
    server.api.token = "the-second-token"  # of the test
    for _ in range(5):
        with pytest.raises(QueueUnavailable):
            await source.check()
    assert len(server.api.requests) == 5
