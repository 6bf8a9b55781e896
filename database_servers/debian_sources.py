"""Which Debian mirror this machine uses, as its own apt settings tell."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# The key that signs the archive; older and newer releases name the file differently.
ARCHIVE_KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)"
)


@dataclass(frozen=True)
class DebianSource:
    """One archive out of apt's settings."""

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str

    def is_main_archive(self) -> bool:
        """Tell whether sid can be expected there: not in a vendor's own archive, nor in security updates."""
        security = all(suite.endswith(("-security", "/updates")) for suite in self.suites)
        own_key = not self.signed_by or Path(self.signed_by).stem == ARCHIVE_KEYRINGS[0].stem
        return "main" in self.components and own_key and not security


def is_debian(root: Path = Path("/")) -> bool:
    """Tell whether this is Debian itself: a derivative has other mirrors and keys."""
    release = root / "etc/os-release"
    return (
        release.is_file()
        and re.search(r'^ID="?debian"?$', release.read_text(encoding="utf-8"), re.MULTILINE) is not None
    )


def mirror_uris(root: Path = Path("/")) -> list[str]:
    """Return the mirrors of Debian's main archive, without repeats, those with Debian's key named first."""
    sources = [source for source in read_sources(root) if source.is_main_archive()]
    sources.sort(key=lambda source: not source.signed_by)
    return list(dict.fromkeys(source.uri for source in sources))


def archive_keyring() -> Path | None:
    """Return the file with the archive's keys."""
    return next((path for path in ARCHIVE_KEYRINGS if path.is_file()), None)


def read_sources(root: Path = Path("/")) -> Iterator[DebianSource]:
    """Read both of apt's formats, in its order: sources.list, then the folder by name."""
    apt = root / "etc/apt"
    folder = apt / "sources.list.d"
    for path in (apt / "sources.list", *(sorted(folder.iterdir()) if folder.is_dir() else ())):
        if path.suffix == ".list" and path.is_file():
            yield from parse_one_line(path.read_text(encoding="utf-8"))
        elif path.suffix == ".sources":
            yield from parse_deb822(path.read_text(encoding="utf-8"))


def parse_one_line(text: str) -> Iterator[DebianSource]:
    """Read `deb [options] URI suite component...` lines."""
    for line in text.splitlines():
        found = ONE_LINE.match(line.split("#")[0].strip())
        if found:
            key = re.search(r"signed-by=(\S+)", found["options"] or "", re.IGNORECASE)
            yield DebianSource(
                found["uri"], (found["suite"],), tuple(found["components"].split()), key[1] if key else ""
            )


def parse_deb822(text: str) -> Iterator[DebianSource]:
    """Read stanzas of `Field: value` lines; one stanza may name several URIs."""
    for stanza in re.split(r"\n\s*\n", text):
        fields = _fields(stanza)
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0"}
        if not enabled or "deb" not in fields.get("types", "").split():
            continue
        suites, components = fields.get("suites", "").split(), fields.get("components", "").split()
        for uri in fields.get("uris", "").split():
            yield DebianSource(uri, tuple(suites), tuple(components), fields.get("signed-by", ""))


def _fields(stanza: str) -> dict[str, str]:
    """Return the fields of one stanza by lower-case name; an indented line continues the one before."""
    fields: dict[str, str] = {}
    name = ""
    for line in stanza.splitlines():
        if line.startswith("#"):
            continue
        if line[:1].isspace():
            fields[name] = f"{fields.get(name, '')} {line.strip()}".strip()
        else:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields
