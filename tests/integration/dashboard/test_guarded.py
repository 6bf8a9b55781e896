"""The dashboard before a server that asks for TLS and a token."""

from pathlib import Path

from services.dashboard.errors import Refused, ServerAway
from tests.integration.cli.test_security import TOKEN, Place
from tests.support.dashboard import dashboard


async def test_tls_and_a_token(guarded: Place, tmp_path: Path) -> None:
    """With the roots and a token file the server answers; a new token is used without a restart."""
    token = tmp_path / "token"
    token.write_text("old", encoding="ascii")
    settings = {"progress_ca": guarded.ca, "progress_token_file": token}
    async with dashboard(guarded.server, **settings) as page:
        answer = await page.get("/api/batches")
        assert (answer.status, answer.json) == (502, {"message": str(Refused())})
        token.write_text(f"{TOKEN}\n", encoding="ascii")
        answer = await page.get("/api/batches", state="PROCESSING")
        assert (answer.status, [batch["batch_id"] for batch in answer.json["batches"]]) == (200, ["b"])


async def test_a_stranger_is_not_trusted(guarded: Place) -> None:
    """A server whose certificate the roots do not know is as good as away."""
    async with dashboard(guarded.server, progress_tls=True) as page:
        answer = await page.get("/api/batches")
        assert (answer.status, answer.json) == (503, {"message": str(ServerAway())})
