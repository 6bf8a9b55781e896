"""Pictures of the pages for the README, written to the folder PAGE_SCREENSHOTS if it is set."""

import asyncio
import os
import random
from pathlib import Path

from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage

VARIABLE = "PAGE_SCREENSHOTS"
FONT_PACKAGE = "fonts-inter"
"""The font of a usual desktop."""
VIEW = {"width": 1_120, "height": 640}
STALL_SECONDS = 65
"""The time until a real stall is shown."""
SETTLED_SECONDS = 2.5
"""The time until bars have reached their values."""


def folder() -> Path | None:
    """Return the folder for pictures, if they are wanted."""
    name = os.environ.get(VARIABLE)
    return Path(name) if name else None


async def pause_for_pictures() -> None:
    """Wait, so that the plot of a picture has a shape."""
    if folder() is not None:
        await asyncio.sleep(random.uniform(0.05, 0.6))


async def let_it_stall(shown: Scene, batch_id: str) -> None:
    """Let a batch stall, for pictures in real time."""
    if folder() is not None:
        await asyncio.sleep(STALL_SECONDS)
    else:
        await shown.let_time_pass(batch_id)


async def picture(watched: WatchedPage, name: str) -> None:
    """Take pictures of a page in the light and the dark scheme, if they are wanted."""
    if (wanted := folder()) is None:
        return
    await asyncio.sleep(SETTLED_SECONDS)
    for scheme in ("light", "dark"):
        await watched.page.emulate_media(color_scheme=scheme)
        await watched.page.screenshot(path=wanted / f"{name}-{scheme}.png", full_page=True)
