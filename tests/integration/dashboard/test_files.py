"""The files of the pages, and the headers of every answer."""

import re
from pathlib import Path

import pytest

from services.dashboard.app import STATIC
from tests.support.dashboard import Page

FILES = sorted(STATIC.iterdir())
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}


async def test_every_answer_has_security_headers(page: Page) -> None:
    """They permit only our own files, and forbid other pages to embed ours."""
    for path in ("/", "/batch", "/static/list.js", "/api/batches", "/nowhere", "/health"):
        headers = (await page.get(path)).headers
        policy = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
        assert policy["frame-ancestors"] == "'none'"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert headers.keys() & {"access-control-allow-origin", "server"} == set()


async def test_only_reads_are_allowed(page: Page) -> None:
    """Every other method is refused."""
    for path in ("/", "/api/batches", "/api/batch/events"):
        for method in ("POST", "PUT", "DELETE"):
            assert (await page.get(path, method=method, id="b")).status == 405


async def test_every_file_is_served(page: Page) -> None:
    """Each file has its content type."""
    for file in FILES:
        answer = await page.get(f"/static/{file.name}")
        assert (answer.status, answer.body) == (200, file.read_bytes())
        assert answer.headers["content-type"].startswith(TYPES[file.suffix])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_load_nothing_from_another_host(file: Path) -> None:
    """No text becomes markup or code, either."""
    text = file.read_text()
    assert set(re.findall(r"https?://[^\s\"'/]+", text)) <= {"http://www.w3.org"}
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?! type=\"module\" src=\"static/)", text)
