"""The files of the page, and the headers of its answers."""

import re
from pathlib import Path

import pytest

from services.gateway.page.files import DOCUMENTS, STATIC
from tests.support.gateway import Door

FILES = sorted(STATIC.iterdir())
TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
PATHS = (*DOCUMENTS, "/static/list.js", "/static/nowhere", "/static/../files.py")


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_of_the_page_has_security_headers(closed_door: Door, path: str) -> None:
    """They permit only our own files, and forbid other pages to embed ours."""
    headers = (await closed_door.send("GET", path)).headers
    policy = dict(one.split(" ", 1) for one in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert headers.keys() & {"access-control-allow-origin", "server"} == set()


@pytest.mark.parametrize("path", [*DOCUMENTS, "/static/list.js"])
async def test_the_page_can_only_be_read(closed_door: Door, path: str) -> None:
    for method in ("POST", "PUT", "DELETE"):
        assert (await closed_door.send(method, path)).status == 405


async def test_every_file_is_served(closed_door: Door) -> None:
    for file in FILES:
        answer = await closed_door.send("GET", f"/static/{file.name}")
        assert (answer.status, answer.body) == (200, file.read_bytes())
        assert answer.headers["content-type"].startswith(TYPES[file.suffix])


@pytest.mark.parametrize("path", [*DOCUMENTS, "/static/list.js"])
async def test_an_unchanged_file_is_not_sent_again(closed_door: Door, path: str) -> None:
    """A browser asks each time, so that it uses a new version at once."""
    first = await closed_door.send("GET", path)
    assert first.headers["cache-control"] == "no-cache"
    again = await closed_door.send("GET", path, if_none_match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/static", "/static/", "/static/none.js", "/static/../files.py", "/index.html"]
)
async def test_no_path_leads_to_other_files(closed_door: Door, path: str) -> None:
    assert (await closed_door.send("GET", path)).status == 404


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_load_nothing_from_another_host(file: Path) -> None:
    """No text becomes markup or code, either."""
    text = file.read_text()
    assert set(re.findall(r"https?://[^\s\"'/]+", text)) <= {"http://www.w3.org"}
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text
    )
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|<script(?! type=\"module\" src=\"static/)", text)


@pytest.mark.parametrize("name", DOCUMENTS.values())
def test_a_document_preloads_the_modules_of_its_script(name: str) -> None:
    """Otherwise a browser asks for a module only after it has read the one that imports it."""
    document = (STATIC / name).read_text()
    (script,) = re.findall(r'<script type="module" src="static/([\w.]+)">', document)
    preloaded = re.findall(r'rel="modulepreload" href="static/([\w.]+)"', document)
    assert preloaded == sorted(_imported_by(script, set()))


def _imported_by(module: str, known: set[str]) -> set[str]:
    for imported in re.findall(r'from "\./([\w.]+)"', (STATIC / module).read_text()):
        if imported not in known:
            known |= {imported} | _imported_by(imported, known | {imported})
    return known
