"""What a reader sees elsewhere than in a terminal: in a browser and in a notebook."""

from typing import Any

import nbformat
from nbclient import NotebookClient

from tests.support.chromium import browser

SECONDS_MAX = 60
"""Ends a run that hangs: a browser or a kernel starts within seconds."""
MILLISECONDS_MAX = 1_000 * SECONDS_MAX


async def shown(url: str, link: str, *texts: str) -> str:
    """Open a page in Chromium, follow a link, and return what is shown once it has all of the texts.

    Raises:
        PackageUnavailable: there is no Chromium.

    """
    async with browser() as chromium:
        page = await chromium.new_page()
        page.set_default_timeout(MILLISECONDS_MAX)
        await page.goto(url)
        await page.get_by_role("link", name=link).first.click()
        for text in texts:
            await page.get_by_text(text).first.wait_for()
        return await page.inner_text("body")


def executed(source: str) -> str:
    """Execute a cell of a notebook in a kernel, and return its last output as plain text."""
    v4: Any = nbformat.v4  # its functions have no annotations
    notebook = v4.new_notebook(cells=[v4.new_code_cell(source)])
    NotebookClient(
        notebook, kernel_name="python3", timeout=SECONDS_MAX, startup_timeout=SECONDS_MAX
    ).execute()
    return str(notebook.cells[0].outputs[-1].data["text/plain"])
