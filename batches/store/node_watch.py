"""Checks how the database node is set up, at the start and regularly: a fail-over may lead to a bad one."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection

import structlog

from batches.errors import DatabaseUnavailable
from batches.store.node_warnings import Node, NodeWarning, warnings_of

CHECK_SECONDS = 60.0
"""Three small statements a minute. Several nodes behind one address are all met within some minutes."""
NODE_SECONDS_KEPT = 300.0
"""A node that was not met for so long no longer counts; so does one that a fail-over left."""

_log = structlog.get_logger()


class NodeWatch:
    """Keeps the warnings about the nodes that connections have reached lately.

    Args:
        read: Reads the node of a connection; None for a database without nodes.

    """

    def __init__(self, read: Callable[[], Awaitable[Node | None]]) -> None:
        self._read = read
        self._is_broken = False
        self._nodes: dict[str, tuple[float, Collection[NodeWarning]]] = {}

    @property
    def warnings(self) -> set[NodeWarning]:
        """The warnings about any of the nodes."""
        return {warning for _, warnings in self._nodes.values() for warning in warnings}

    async def run(self) -> None:
        """Check for ever. No error here ends the server, which works without the warnings."""
        while True:
            await self.check()
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> None:
        """Check the node of one connection; log what has changed since it was met last."""
        try:
            node = await self._read()
        except DatabaseUnavailable:
            return  # the store has logged the reason
        except Exception as error:  # noqa: BLE001  # a defect from which only the warnings suffer
            if not self._is_broken:
                _log.error("the settings of the database node cannot be read", exc_info=error)
            self._is_broken = True
            return
        self._is_broken = False
        if node is not None:
            self._keep(node)

    def _keep(self, node: Node) -> None:
        now, found = time.monotonic(), warnings_of(node)
        _, before = self._nodes.get(node.name, (now, ()))
        for warning in found.keys() - set(before):
            _log.warning(
                "the database node is set up badly",
                node=node.name,
                warning=warning.value,
                reason=found[warning],
            )
        for warning in set(before) - found.keys():
            _log.info("the database node is set up well again", node=node.name, warning=warning.value)
        kept = {name: one for name, one in self._nodes.items() if now - one[0] < NODE_SECONDS_KEPT}
        self._nodes = {**kept, node.name: (now, tuple(found))}
