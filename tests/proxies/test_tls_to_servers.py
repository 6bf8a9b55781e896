"""The lines of each file for servers with TLS, and those of nginx for certificates of workers."""

import asyncio
import re
from contextlib import aclosing
from pathlib import Path

import pytest

from batchprogress import AsyncClient, ProxyAnswered, TlsFiles
from tests.proxies.kinds import KINDS, Kind, Place, replaced
from tests.proxies.running import running
from tests.support.certificates import Authority
from tests.support.progress import served

pytestmark = pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True)
COMMENTED_LINE = re.compile(r"^([ \t]*)#(?! \S)", re.MULTILINE)
"""A comment in words has one space."""
CHANGED = {
    "nginx": {"grpc://progress": "grpcs://progress"},
    "haproxy": {f"    server progress-{one} progress-{one}:50051 proto h2\n": "" for one in (1, 2)},
    "envoy": {},
    "caddy": {"h2c://": "https://", "versions h2c 2": "versions 2"},
}
"""What else the comments say."""
SECONDS_MAX = 60.0


def with_tls(kind: Kind, place: Place) -> str:
    """Return the file of deploy/ with the lines for TLS."""
    text = COMMENTED_LINE.sub(r"\1", kind.file.read_text(encoding="utf-8"))
    for old, new in CHANGED[kind.name].items():
        assert old in text, old
        text = text.replace(old, new)
    text, authorities = re.subn(r"/etc/\w+/\w+-ca.pem", f"{place.folder}/ca.pem", text)
    assert authorities
    return replaced(kind, place, text).replace("progress.example.com", "localhost")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
async def test_the_proxy_calls_servers_with_tls(kind: Kind, database_url: str, tmp_path: Path) -> None:
    """It checks their certificate and their name."""
    authority = Authority("proxies")
    files = authority.mutual_tls(tmp_path)
    del files["tls_client_ca_file"]
    pair = authority.sign("progress")
    certificate, key = pair.write(tmp_path, "progress")
    (tmp_path / "both.pem").write_bytes(pair.certificate + pair.key)
    own = TlsFiles(ca=files["tls_certificate_file"].with_name("ca.pem"), certificate=certificate, key=key)
    async with asyncio.timeout(SECONDS_MAX), served(database_url, **files) as server:
        place = Place(tmp_path, (server.port, server.port))
        async with (
            running(kind, place, with_tls(kind, place)) as proxy,
            AsyncClient(proxy.tls_target, credentials=own) as client,
        ):
            await client.create("b", 1)
            async with aclosing(client.watch("b")) as watch:
                assert (await anext(watch)).pending_jobs == 1
                async with client.reporter("b") as reporter:
                    reporter.succeeded("job")
                assert (await anext(watch)).has_ended
            if kind.name == "nginx":
                await is_refused(proxy.tls_target, TlsFiles(ca=tmp_path / "ca.pem"))


async def is_refused(target: str, files: TlsFiles) -> None:
    """Call without the certificate that the proxy asks for."""
    async with AsyncClient(target, credentials=files) as stranger:
        with pytest.raises(ProxyAnswered, match="certificate"):
            await stranger.get("b")
