"""Every relative link of every page leads somewhere."""

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.markdown import ROOT, anchors, links, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    """A relative link names an existing file, and its anchor an existing heading."""
    broken = []
    for link in links(page):
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_the_index_names_every_page_of_the_documentation() -> None:
    """No page in docs/ is missing from docs/README.md."""
    index = ROOT / "docs/README.md"
    named = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    assert set((ROOT / "docs").glob("*.md")) - named - {index} == set()


def test_the_list_of_decisions_is_complete() -> None:
    """docs/decisions/README.md lists every decision with its number and title."""
    folder = ROOT / "docs/decisions"
    titles = [page.read_text(encoding="utf-8").splitlines()[0] for page in sorted(folder.glob("0*.md"))]
    listed = re.findall(
        r"^(\d+)\. \[(.+)\]", (folder / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [f"# {number}. {title}" for number, title in listed] == titles
