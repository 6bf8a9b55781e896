"""Sends one webhook: a POST to an address that was checked, without redirects, bounded in time and size."""

import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from services.notifier.addresses import is_public
from services.notifier.answers import HttpAnswer, NoAnswer
from services.notifier.schedule import retry_after_seconds

ANSWER_BYTES_MAX = 64 * 1024
"""More of an answer is not read; the connection is closed instead of used again."""
HEADER_BYTES_MAX = 8 * 1024
"""Of each line of an answer's headers."""
IDLE_SECONDS_MAX = 30
"""How long a connection is kept for the next event."""


class _PrivateAddress(OSError):
    """The name of a receiver leads to an address that is not public."""


class Sender:
    """Sends webhooks. To be constructed in a running event loop.

    Args:
        seconds_max: how long an attempt may take in all.
        allows_private: whether private addresses are allowed.
        ca: the authorities that sign the certificates of receivers; None: those of the system.
        resolver: finds the addresses of names; None: that of the system.

    """

    def __init__(
        self,
        seconds_max: float,
        *,
        allows_private: bool,
        ca: ssl.SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,  # the notifier bounds how many it sends at a time, in all and to each receiver
                # Called with each address that is about to be connected to: a name is resolved once, and an
                # answer of the DNS that changes afterwards changes nothing.
                socket_factory=_any_socket if allows_private else _public_socket,
                use_dns_cache=False,
                resolver=resolver,
                keepalive_timeout=IDLE_SECONDS_MAX,
                ssl=ca or True,
            ),
            timeout=aiohttp.ClientTimeout(total=seconds_max),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=HEADER_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            trust_env=False,  # a proxy would connect to addresses that nobody has checked
        )
        self._seconds_max = seconds_max

    async def send(self, url: str, headers: Mapping[str, str], body: str) -> HttpAnswer | NoAnswer:
        """Send a webhook once.

        Args:
            url: where to.
            headers: its headers.
            body: its content.

        Returns:
            What came back. No error is raised: each is a reason to try again.

        """
        try:
            async with self._session.post(
                url, data=body.encode(), headers=headers, allow_redirects=False
            ) as response:
                await _read_some(response)
                asked = retry_after_seconds(response.headers.get("Retry-After"), datetime.now(UTC))
                return HttpAnswer(response.status, asked)
        except TimeoutError:
            return NoAnswer(f"no answer within {self._seconds_max:g} s")
        except aiohttp.ClientConnectorError as error:
            return NoAnswer(f"cannot connect: {_reason(error.os_error)}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NoAnswer(f"no answer: {type(error).__name__}")

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


async def _read_some(response: aiohttp.ClientResponse) -> None:
    """Read a small answer, so that its connection is used again; close that of a large or broken one.

    The status is the answer, even if nothing follows.
    """
    unread = ANSWER_BYTES_MAX
    try:
        while unread and (chunk := await response.content.read(unread)):
            unread -= len(chunk)
    except (TimeoutError, aiohttp.ClientError):
        unread = 0
    if not unread:
        response.close()


def _reason(error: OSError) -> str:
    if isinstance(error, _PrivateAddress):
        return str(error)
    return error.strerror or type(error).__name__


def _public_socket(info: Any) -> socket.socket:
    address = info[4][0]
    if not is_public(address):
        raise _PrivateAddress(f"the host leads to {address}, which is not a public address")
    return _any_socket(info)


def _any_socket(info: Any) -> socket.socket:
    family, kind, protocol, *_ = info
    return socket.socket(family, kind, protocol)
