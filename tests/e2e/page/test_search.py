"""The list with a text that is searched."""

import asyncio

import pytest

from tests.e2e.page.scene import Scene
from tests.e2e.page.watched_page import WatchedPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

BATCHES_SEARCHED = 260
"""More batches than one call of a search reads."""


async def test_text_is_found_in_batches_beyond_the_first_call(shown: Scene, watched: WatchedPage) -> None:
    """The server cannot search text, so the page reads on until it has searched all batches."""
    await shown.create("needle", 1, "The one that is sought", {"team": "lab"})
    await asyncio.gather(
        *(shown.create(f"hay-{n}", 1, labels={"team": "lab"}) for n in range(BATCHES_SEARCHED))
    )
    await watched.page.goto(f"{shown.url}/?label=team%3Dlab&text=SOUGHT")
    await watched.shows(".row", "The one that is sought")
    await watched.shows("#count", "1 shown")
    await watched.page.get_by_label("Search").fill("nowhere")
    await watched.shows("#empty", "No matching batch")
