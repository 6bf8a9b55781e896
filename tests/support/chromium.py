"""Chromium for Playwright: installed, or from Debian's package.

The unpacked package is started by the loader of its own C library. Since Chromium expects its files next to
the running program, which then is the loader, a copy of the loader is put among links to these files; child
processes are started by the same shell script; and the zygote, which would run the loader without a program,
is disabled.
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
    "--no-sandbox",  # tests may run as root, or in a container that forbids namespaces
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
    """How to start Chromium."""

    program: Path
    flags: tuple[str, ...] = FLAGS
    environment: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def browser(*font_packages: str) -> AsyncIterator[Browser]:
    """Run Chromium without a window and with a new profile while the context is open.

    Args:
        font_packages: Debian packages with further fonts for the unpacked Chromium, which only has DejaVu.

    Raises:
        PackageUnavailable: it is not installed, and Debian's package cannot be downloaded.

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
    """Yield a Chromium that can be started while the context is open."""
    if installed := shutil.which(PROGRAM):
        yield Chromium(Path(installed))
        return
    tree = unpacked_package(PROGRAM)
    with tempfile.TemporaryDirectory(prefix="batchprogress-chromium-") as name:
        fonts = _fonts(tree, Path(name), font_packages)
        yield _laid_out(tree, Path(name), {"FONTCONFIG_FILE": str(fonts)})


def _laid_out(tree: Path, folder: Path, environment: dict[str, str]) -> Chromium:
    """Make the script that starts the unpacked program."""
    loader, option, libraries, _ = program_command(tree, PROGRAM)
    files = tree / "usr/lib" / PROGRAM
    for file in files.iterdir():
        (folder / file.name).symlink_to(file)
    shutil.copy(loader, folder / "loader")
    # One library of PulseAudio is in a separate folder.
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
