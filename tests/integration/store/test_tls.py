"""TLS to a database server, as the parameters of the URL say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import literal, make_url, select

from batches.errors import DatabaseUnusable
from batches.store import causes
from batches.store.database import Database
from database_servers import ENGINES, DatabaseServer, database_server
from database_servers.engines import Engine
from services.job_status.source import QueueUnavailable
from services.job_status.sources.database import QueueDatabase
from tests.support.certificates import Authority

pytestmark = pytest.mark.more("starts servers with certificates of their own")
NO_TLS: dict[Engine, str] = {"mysql": "--tls-version=", "mariadb": "--skip-ssl"}


OTHER_NAME = "127.1"
"""A way to write the server's address that its certificate does not have."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with ca.pem of the server's authority, and other.pem of another one."""
    folder = tmp_path_factory.mktemp("tls")
    ours, other = Authority("ours"), Authority("other")
    ours.write(folder)
    ours.sign("server").write(folder, "server")
    (folder / "other.pem").write_bytes(other.certificate)
    return folder


@pytest.fixture(scope="module", params=ENGINES)
def server(request: pytest.FixtureRequest, folder: Path) -> Iterator[DatabaseServer]:
    """Return a server whose certificate names 127.0.0.1."""
    files = {"ca": "ca.pem", "cert": "server.pem", "key": "server.key"}
    options = [f"--ssl-{name}={folder / file}" for name, file in files.items()]
    with database_server(request.param, extra_options=options, own=True) as server:
        yield server


async def cipher(url: str) -> str:
    """Connect; return the cipher, "" without TLS."""
    database = Database(url, connections_max=1)
    async with database.engine.connect() as connection:
        shown = await connection.exec_driver_sql("SHOW STATUS LIKE 'Ssl_cipher'")
        found = str(shown.mappings().one()["Value"])
    await database.close()
    return found


@pytest.mark.parametrize(
    "query",
    [
        "ssl_mode=REQUIRED",
        "ssl_mode=REQUIRED&ssl_ca={folder}/ca.pem",
        "ssl_mode=VERIFY_CA&ssl_ca={folder}/ca.pem",
        "ssl_mode=VERIFY_IDENTITY&ssl_ca={folder}/ca.pem",
        "ssl_ca={folder}/ca.pem",
    ],
)
async def test_connections_are_encrypted_as_the_url_says(
    server: DatabaseServer, folder: Path, query: str
) -> None:
    assert await cipher(f"{server.url('mysql')}?{query.format(folder=folder)}")


async def test_connections_without_a_parameter_are_not_encrypted(server: DatabaseServer) -> None:
    assert not await cipher(server.url("mysql"))
    assert not await cipher(f"{server.url('mysql')}?ssl_mode=DISABLED")


@pytest.mark.parametrize(
    ("host", "query"),
    [
        ("127.0.0.1", "ssl_mode=REQUIRED&ssl_ca={folder}/other.pem"),
        ("127.0.0.1", "ssl_mode=VERIFY_CA&ssl_ca={folder}/other.pem"),
        ("127.0.0.1", "ssl_mode=VERIFY_IDENTITY"),
        (OTHER_NAME, "ssl_ca={folder}/ca.pem"),
    ],
)
async def test_an_invalid_certificate_is_told(
    server: DatabaseServer, folder: Path, host: str, query: str
) -> None:
    """The names of the certificate are 127.0.0.1 and localhost."""
    url = make_url(f"{server.url('mysql')}?{query.format(folder=folder)}").set(host=host)
    with pytest.raises(DatabaseUnusable) as refused:
        await Database(url.render_as_string(hide_password=False), connections_max=1).ping()
    place = f"database mysql on {host}:{server.port} as user root"
    assert str(refused.value).startswith(f"cannot use {place}: {causes.CERTIFICATE.happened}; ")


async def test_the_name_of_a_certificate_is_not_checked_with_verify_ca(
    server: DatabaseServer, folder: Path
) -> None:
    url = make_url(f"{server.url('mysql')}?ssl_mode=VERIFY_CA&ssl_ca={folder}/ca.pem").set(host=OTHER_NAME)
    assert await cipher(url.render_as_string(hide_password=False))


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_server_without_tls_is_told(engine: Engine) -> None:
    with (
        database_server(engine, extra_options=[NO_TLS[engine]], own=True) as plain,
        pytest.raises(DatabaseUnusable) as refused,
    ):
        await Database(f"{plain.url('mysql')}?ssl_mode=REQUIRED", connections_max=1).ping()
    assert causes.TLS_MISSING.happened in str(refused.value)


async def test_the_url_of_a_queues_database_has_the_same_parameters(
    server: DatabaseServer, folder: Path
) -> None:
    """The account is accepted only over TLS."""
    plain = Database(server.url("mysql"), connections_max=1)
    async with plain.engine.begin() as connection:
        await connection.exec_driver_sql("CREATE USER IF NOT EXISTS queue@'127.0.0.1' REQUIRE SSL")
    await plain.close()
    url = make_url(server.url("information_schema")).set(username="queue").render_as_string()
    for query in ("ssl_mode=REQUIRED", "ssl-mode=VERIFY_IDENTITY&ssl_ca={folder}/ca.pem"):
        await _read(f"{url}?{query.format(folder=folder)}")
    for query in ("ssl_mode=DISABLED", "ssl_ca={folder}/other.pem"):
        with pytest.raises(QueueUnavailable):
            await _read(f"{url}?{query.format(folder=folder)}")


async def _read(url: str) -> None:
    database = QueueDatabase(url)
    try:
        await database.rows(select(literal(1)))
    finally:
        await database.close()
