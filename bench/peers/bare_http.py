"""python -m bench.peers.bare_http: only answer posts, to show what HTTP itself costs.

It is the gateway's own web server, with its limits of connections, in front of an application that reads a
request and sends the bytes of an answer.
"""

import asyncio
import sys

from starlette.types import Receive, Scope, Send

from process.gc_tuning import tune_gc
from services.gateway.app import FULL
from services.gateway.contract.request_bodies import BODY_BYTES_MAX
from services.gateway.web.web_server import ServerOptions, WebServer, bind

ANSWER = b'{"disposition":"DISPOSITION_RECORDED","batchState":"BATCH_STATE_PROCESSING","revision":"1"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
STREAMS_MAX = 100
"""The bench opens fewer connections."""


async def _answer(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


async def main() -> None:
    """Serve on a free port until stdin ends, and print its number."""
    listening = bind("127.0.0.1:0")
    options = ServerOptions(FULL, STREAMS_MAX, drain_seconds=1, body_bytes_max=BODY_BYTES_MAX)
    server = WebServer(_answer, options)
    serving = asyncio.create_task(server.serve([listening]))
    tune_gc()
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)  # ends with the process that started this one
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main())
