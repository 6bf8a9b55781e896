"""The event loop of the progress server."""

import asyncio
import sys

import pytest

from process import event_loop


def test_program_runs_on_uvloop_if_it_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop", reason="it has no wheels for every platform")
    loops: list[asyncio.AbstractEventLoop] = []

    async def main() -> None:
        loops.append(asyncio.get_running_loop())

    event_loop.run(main())
    assert isinstance(loops[0], uvloop.Loop)


def test_program_runs_on_asyncios_own_loop_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    assert event_loop.loop_factory() is None
