"""Pictures of the pages, for the README; made where DASHBOARD_SCREENSHOTS names a folder."""

import asyncio
import os
import random
from pathlib import Path

from tests.e2e.dashboard.scene import Scene
from tests.e2e.dashboard.watched_page import WatchedPage

VARIABLE = "DASHBOARD_SCREENSHOTS"
FONT_PACKAGE = "fonts-inter"
"""What system fonts look like on a desktop."""
VIEW = {"width": 1_120, "height": 640}
STALL_SECONDS = 65
"""Of a real stall, which is told after a minute."""
SETTLED_SECONDS = 2.5
"""Bars have come to where they glide."""


def folder() -> Path | None:
    """Return where pictures are wanted."""
    name = os.environ.get(VARIABLE)
    return Path(name) if name else None


async def pause_for_pictures() -> None:
    """Let a plot have a shape, if pictures are wanted."""
    if folder() is not None:
        await asyncio.sleep(random.uniform(0.05, 0.6))


async def let_it_stall(shown: Scene, batch_id: str) -> None:
    """Do what time does to a batch without results; for pictures, wait for it."""
    if folder() is not None:
        await asyncio.sleep(STALL_SECONDS)
    else:
        await shown.let_time_pass(batch_id)


async def picture(watched: WatchedPage, name: str) -> None:
    """Take pictures of a page as it is, in the light and in the dark, if they are wanted."""
    if (wanted := folder()) is None:
        return
    await asyncio.sleep(SETTLED_SECONDS)
    for scheme in ("light", "dark"):
        await watched.page.emulate_media(color_scheme=scheme)
        await watched.page.screenshot(path=wanted / f"{name}-{scheme}.png", full_page=True)
