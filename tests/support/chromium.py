"""A real Chromium for Playwright: the one that is installed, else Debian's package, unpacked.

The unpacked one needs help in three places, since it finds its own files beside the program
that runs, which is the C library's loader: a copy of the loader stands among links to its
files; its children are started by the same few lines of shell as itself; and no zygote forks
them, which would run the loader without a program.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from database_servers.debian_packages import program_command, unpacked_package

PROGRAM = "chromium"
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
  <dir>{tree}/usr/share/fonts</dir>
  {more}
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
async def browser(*font_packages: str) -> AsyncIterator[Browser]:
    """Run Chromium without a window while the context is open, with a profile that was never used.

    Fonts of further Debian packages are for the unpacked one: it brings DejaVu alone.

    Raises:
        PackageUnavailable: it is not installed and this machine is no Debian to take it from.

    """
    with chromium(*font_packages) as found:
        async with async_playwright() as playwright:
            running = await playwright.chromium.launch(
                executable_path=found.program,
                args=list(found.flags),
                env={**os.environ, **found.environment},
            )
            yield running
            await running.close()


@contextmanager
def chromium(*font_packages: str) -> Iterator[Chromium]:
    """Return a Chromium that can be started while the context is open."""
    if installed := shutil.which(PROGRAM):
        yield Chromium(Path(installed))
        return
    tree = unpacked_package(PROGRAM)
    with tempfile.TemporaryDirectory(prefix="batchprogress-chromium-") as name:
        fonts = _fonts(tree, Path(name), font_packages)
        yield _laid_out(tree, Path(name), {"FONTCONFIG_FILE": str(fonts)})


def _laid_out(tree: Path, folder: Path, environment: dict[str, str]) -> Chromium:
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
    return Chromium(program, flags, environment)


def _fonts(tree: Path, folder: Path, packages: Sequence[str]) -> Path:
    more = "\n  ".join(f"<dir>{unpacked_package(package)}/usr/share/fonts</dir>" for package in packages)
    file = folder / "fonts.conf"
    file.write_text(FONTCONFIG.format(tree=tree, more=more, cache=folder / "font-cache"))
    return file
