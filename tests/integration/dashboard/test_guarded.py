"""The dashboard in front of a server that requires TLS, a certificate and a token."""

import asyncio
from http import HTTPStatus
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.dashboard.errors import Refused, ServerAway
from tests.integration.cli.test_security import TOKEN, Place
from tests.support.certificates import Authority
from tests.support.dashboard import SECONDS_MAX, Page, dashboard
from tests.support.progress import served


async def test_a_replaced_token_is_used(guarded: Place, tmp_path: Path) -> None:
    """A token that is replaced in its file is used without a restart."""
    token = tmp_path / "token"
    token.write_text("old", encoding="ascii")
    settings = {"progress_ca_file": guarded.ca, "progress_token_file": token}
    async with dashboard(guarded.server, **settings) as page:
        answer = await page.get("/api/batches")
        assert (answer.status, answer.json) == (502, {"message": str(Refused())})
        token.write_text(f"{TOKEN}\n", encoding="ascii")
        answer = await page.get("/api/batches", state="PROCESSING")
        assert (answer.status, [batch["batch_id"] for batch in answer.json["batches"]]) == (200, ["b"])


async def test_a_refusal_is_logged_once(guarded: Place, tmp_path: Path) -> None:
    """Pages that are refused for the same reason cause one log line per minute."""
    token = tmp_path / "token"
    token.write_text("wrong", encoding="ascii")
    settings = {"progress_ca_file": guarded.ca, "progress_token_file": token}
    with capture_logs() as logs:
        async with dashboard(guarded.server, **settings) as page:
            for text in "abc":
                assert (await page.get("/api/batches", text=text)).status == 502
    assert [log["reason"] for log in logs if log["log_level"] == "warning"] == ["TOKEN_INVALID"]


async def test_a_server_with_an_unknown_certificate_is_not_trusted(guarded: Place) -> None:
    """It counts as unavailable."""
    async with dashboard(guarded.server, progress_tls=True) as page:
        answer = await page.get("/api/batches")
        assert (answer.status, answer.json) == (503, {"message": str(ServerAway())})


@pytest.mark.parametrize("held", ["two\nlines", "Schl\u00fcssel", "", "\x00"])
async def test_an_invalid_token_is_not_sent(guarded: Place, tmp_path: Path, held: str) -> None:
    """The page says that the dashboard is refused, until the file contains a token."""
    token = tmp_path / "token"
    token.write_text(held, encoding="utf-8")
    settings = {"progress_ca_file": guarded.ca, "progress_token_file": token}
    async with dashboard(guarded.server, **settings) as page:
        answer = await page.get("/api/batches")
        assert (answer.status, answer.json) == (502, {"message": str(Refused())})
        async with page.events("b") as events:
            assert (await anext(events)).data == {"message": str(Refused())}
        token.write_text(TOKEN, encoding="ascii")
        assert (await page.get("/api/batches", text="b")).status == 200


async def test_a_replaced_certificate_is_used(sqlite_url: str, tmp_path: Path) -> None:
    """A refused certificate is replaced by an accepted one without a restart."""
    authority, before = Authority("ours"), Authority("before")
    own, own_key = before.sign("dashboard").write(tmp_path, "dashboard")
    tls = authority.mutual_tls(tmp_path)
    ca = tls["tls_client_ca_file"]
    settings = {"progress_ca_file": ca, "progress_certificate_file": own, "progress_key_file": own_key}
    async with (
        served(sqlite_url, **tls) as server,
        dashboard(f"127.0.0.1:{server.port}", **settings) as page,
        page.events("b") as events,
    ):
        assert (await page.get("/api/batches")).status == 503
        assert (await anext(events)).data == {"message": str(ServerAway())}
        authority.sign("dashboard").write(tmp_path, "dashboard")
        assert (await anext(events)).name == "unknown"
        await _until_answered(page)


async def _until_answered(page: Page) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while (await page.get("/api/batches")).status != HTTPStatus.OK:  # noqa: ASYNC110  # of an answer
            await asyncio.sleep(0.1)
