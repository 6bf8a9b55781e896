"""Under which names the page answers."""

import pytest
from pydantic import ValidationError

from services.dashboard.settings import DashboardSettings
from tests.support.dashboard import Page, dashboard
from tests.support.progress import Served


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost:8080", "[::1]:8080", "LocalHost", "progress.example", "Progress.Example:1"],
)
async def test_the_page_answers_under_its_own_names(progress: Served, host: str) -> None:
    """The port does not matter, since a proxy may have another one."""
    async with dashboard(
        f"127.0.0.1:{progress.port}", allowed_hosts="other.example, progress.example"
    ) as page:
        assert (await page.get("/api/batches", host=host)).status == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "localhost.evil.example", "[::1", "", "127.0.0.1@evil.example"],
)
@pytest.mark.parametrize("path", ["/", "/api/batches", "/static/list.js"])
async def test_a_name_of_another_website_is_refused(page: Page, path: str, host: str) -> None:
    """A website that points its own name at this address reads nothing."""
    answer = await page.get(path, host=host)
    assert answer.status == 421
    assert b"DASHBOARD_ALLOWED_HOSTS" in answer.body
    assert "Content-Security-Policy" in {name.title() for name in answer.headers}


async def test_probes_may_use_any_name(page: Page) -> None:
    """A kubelet asks by the address of the pod."""
    assert (await page.get("/health", host="10.1.2.3:8080")).status == 200


async def test_a_star_allows_every_name(progress: Served) -> None:
    """An operator may leave the check to a proxy."""
    async with dashboard(f"127.0.0.1:{progress.port}", allowed_hosts="*") as page:
        assert (await page.get("/api/batches", host="evil.example")).status == 200


@pytest.mark.parametrize("listed", ["https://progress.example", "progress.example:443", "progress.example/a"])
def test_only_names_can_be_allowed(listed: str) -> None:
    """A URL or a port in the list would allow nothing, silently."""
    with pytest.raises(ValidationError, match="not a host name without scheme, port and path"):
        DashboardSettings(allowed_hosts=listed)
