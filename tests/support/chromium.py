"""A real Chromium for Playwright: the one that is installed, else Debian's package, unpacked.

The unpacked one needs help in three places, since it finds its own files beside the program
that runs, which is the C library's loader: a copy of the loader stands among links to its
files; its children are started by the same few lines of shell as itself; and no zygote forks
them, which would run the loader without a program.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.support.databases.debian_packages import program_command, unpacked_package

PROGRAM = "chromium"
FONTS = ("fonts-inter", "fonts-dejavu-core")
"""What a page of system fonts looks like on a desktop, and what the first lacks."""
FLAGS = (
    "--no-sandbox",  # tests may run as root, and in a container that forbids its namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
FONTCONFIG = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  {folders}
  <cachedir>{cache}</cachedir>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="strong"><family>system-ui</family><prefer><family>Inter</family></prefer></alias>
  <alias binding="strong"><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


@dataclass(frozen=True, slots=True)
class Chromium:
    """How to start it."""

    program: Path
    flags: tuple[str, ...] = FLAGS
    environment: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """Run Chromium without a window while the context is open, with a profile that was never used.

    Raises:
        PackageUnavailable: it is not installed and this machine is no Debian to take it from.

    """
    with chromium() as found:
        async with async_playwright() as playwright:
            running = await playwright.chromium.launch(
                executable_path=found.program,
                args=list(found.flags),
                env={**os.environ, **found.environment},
            )
            yield running
            await running.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Return a Chromium that can be started while the context is open."""
    if installed := shutil.which(PROGRAM):
        yield Chromium(Path(installed))
        return
    tree = unpacked_package(PROGRAM)
    with tempfile.TemporaryDirectory(prefix="batchprogress-chromium-") as name:
        yield _laid_out(tree, Path(name))


def _laid_out(tree: Path, folder: Path) -> Chromium:
    """Make what starts the unpacked program."""
    loader, option, libraries, _ = program_command(tree, PROGRAM)
    files = tree / "usr/lib" / PROGRAM
    for file in files.iterdir():
        (folder / file.name).symlink_to(file)
    shutil.copy(loader, folder / "loader")
    # PulseAudio keeps one of its libraries in a folder of its own.
    paths = f"{libraries}:{libraries}/pulseaudio:{files}"
    program = folder / "start"
    program.write_text(f'#!/bin/sh\nexec "{folder}/loader" {option} "{paths}" "{folder}/{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    flags = (*FLAGS, "--no-zygote", f"--browser-subprocess-path={program}")
    return Chromium(program, flags, {"FONTCONFIG_FILE": str(_fonts(folder))})


def _fonts(folder: Path) -> Path:
    folders = "\n  ".join(f"<dir>{unpacked_package(font)}/usr/share/fonts</dir>" for font in FONTS)
    file = folder / "fonts.conf"
    file.write_text(FONTCONFIG.format(folders=folders, cache=folder / "font-cache"))
    return file
