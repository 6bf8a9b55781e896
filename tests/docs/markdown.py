"""Reads Markdown pages: their links, headings and code blocks."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)```(\w*)([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|\b(?:src|srcset|href)=\"([^\"]+)\"")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block; after its language may stand attributes, which are not shown to readers."""

    language: str
    attributes: Mapping[str, str]
    text: str


def pages() -> list[Path]:
    """Return every Markdown page of the project, outside hidden folders and installed packages."""
    folders = [one for one in ROOT.iterdir() if one.is_dir() and not one.name.startswith(".")]
    found = [*ROOT.glob("*.md"), *(page for folder in folders for page in folder.rglob("*.md"))]
    return sorted(page for page in found if not any(_is_foreign(part) for part in page.parts))


def _is_foreign(part: str) -> bool:
    return part.startswith(".") or part == "node_modules"


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced code blocks of a page, in order."""
    for _, language, attributes, text in FENCE.findall(page.read_text(encoding="utf-8")):
        yield Block(language, dict(one.split("=") for one in attributes.split()), text)


def links(page: Path) -> Iterator[str]:
    """Yield the targets of all links and images of a page, outside code blocks."""
    for in_markdown, in_html in LINK.findall(_without_code(page)):
        yield in_markdown or in_html


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    seen: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#{1,6} (.+)$", _without_code(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if slug in seen else slug)
        seen[slug] = seen.get(slug, 0) + 1
    return found


def _without_code(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))
