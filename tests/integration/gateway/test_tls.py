"""TLS on both sides of the gateway, with certificates that are replaced while it runs."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.gateway.conftest import Serve
from tests.support.certificates import Authority, Pair
from tests.support.eventually import eventually
from tests.support.gateway import Door, gateway
from tests.support.progress import Served


def trusting(authority: Authority, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    """Return the TLS of a client that trusts an authority."""
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if own is not None:
        context.load_cert_chain(*own)
    return context


def files(folder: Path, pair: Pair) -> dict[str, Path]:
    """Write a certificate into the files of the gateway, and return its settings."""
    certificate, key = pair.write(folder, "gateway")
    return {"tls_certificate_file": certificate, "tls_key_file": key}


async def test_a_renewed_certificate_is_used_for_the_next_connection(
    progress: Served, tmp_path: Path
) -> None:
    before, after = Authority("before"), Authority("after")
    settings = files(tmp_path, before.sign("gateway"))
    async with gateway(f"127.0.0.1:{progress.port}", **settings) as door:
        assert (await replace(door, tls=trusting(before)).call("ListBatches")).status == 200
        files(tmp_path, after.sign("gateway"))
        assert (await replace(door, tls=trusting(after)).call("ListBatches")).status == 200
        with pytest.raises(ssl.SSLError):
            await replace(door, tls=trusting(before)).call("ListBatches")


async def test_half_a_renewal_keeps_the_certificate(progress: Served, tmp_path: Path) -> None:
    authority = Authority("ours")
    settings = files(tmp_path, authority.sign("gateway"))
    async with gateway(f"127.0.0.1:{progress.port}", **settings) as door:
        settings["tls_key_file"].write_bytes(authority.sign("gateway").key)
        assert (await replace(door, tls=trusting(authority)).call("ListBatches")).status == 200


async def test_a_client_needs_a_certificate_of_the_authority(progress: Served, tmp_path: Path) -> None:
    """That authority can be replaced, too."""
    first, second = Authority("first"), Authority("second")
    of_first, of_second = (
        one.sign("client").write(tmp_path, str(i)) for i, one in enumerate((first, second))
    )
    settings = files(tmp_path, first.sign("gateway")) | {"tls_client_ca_file": first.write(tmp_path)}
    async with gateway(f"127.0.0.1:{progress.port}", **settings) as door:
        assert (await replace(door, tls=trusting(first, of_first)).call("ListBatches")).status == 200
        for own in (None, of_second):
            with pytest.raises((ssl.SSLError, OSError, EOFError)):
                await replace(door, tls=trusting(first, own)).call("ListBatches")
        second.write(tmp_path)
        assert (await replace(door, tls=trusting(first, of_second)).call("ListBatches")).status == 200
        with pytest.raises((ssl.SSLError, OSError, EOFError)):
            await replace(door, tls=trusting(first, of_first)).call("ListBatches")


async def test_the_gateway_follows_the_certificates_of_the_server(serve: Serve, tmp_path: Path) -> None:
    authority, other = Authority("ours"), Authority("other")
    own, key = other.sign("gateway").write(tmp_path, "own")
    tls = authority.mutual_tls(tmp_path)
    settings = {
        "progress_ca_file": tls["tls_client_ca_file"],
        "progress_certificate_file": own,
        "progress_key_file": key,
    }
    async with serve(**tls) as server, gateway(f"127.0.0.1:{server.port}", **settings) as door:
        assert (await door.call("ListBatches")).error.reason == "SERVER_UNREACHABLE"
        authority.sign("gateway").write(tmp_path, "own")
        await eventually(lambda: _lists(door))


async def _lists(door: Door) -> bool:
    return (await door.call("ListBatches")).status == 200
