"""Sends the reports of Laravel's workers, which BatchProgressServiceProvider.php writes to a Unix socket.

python relay.py /run/batchprogress.sock progress:50051 [folder of the spool]

Run one on each machine with workers, as their user; end it with SIGTERM.
"""

import json
import logging
import select
import signal
import socket
import socketserver
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from batchprogress import Client, ProgressError, Reporter

CREATE_SECONDS_MAX = 4.0
"""Less than the application waits for the answer."""

log = logging.getLogger("relay")


class Relay(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Takes the lines of all workers.

    Args:
        path: where the socket is.
        client: creates batches.
        reporter: reports jobs.

    """

    def __init__(self, path: Path, client: Client, reporter: Reporter) -> None:
        super().__init__(str(path), Lines)
        self.client = client
        self.reporter = reporter
        self._workers: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Read the lines of a worker in a thread."""
        self._workers.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection of a worker that has ended."""
        self._workers.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Take what workers have written; what they write later is refused, and they log it."""
        while select.select([self], [], [], 0)[0]:
            self.handle_request()
        for worker in tuple(self._workers):
            with suppress(OSError):  # it has ended meanwhile
                worker.shutdown(socket.SHUT_RD)
        super().server_close()  # waits for the threads

    def take(self, values: dict[str, Any]) -> bytes:
        """Create the batch, or report the job, of a line; only a batch has an answer."""
        if "total_jobs" in values:
            return self._create(values["batch_id"], values["total_jobs"], sealed=values["sealed"])
        job = {name: values[name] for name in ("batch_id", "attempt", "display_name")}
        if values["outcome"] == "failed":
            self.reporter.failed(values["job_id"], values["error"], error_type=values["error_type"], **job)
        elif values["outcome"] == "skipped":
            self.reporter.skipped(values["job_id"], **job)
        else:
            self.reporter.succeeded(values["job_id"], **job)
        return b""

    def _create(self, batch_id: str, total_jobs: int, *, sealed: bool) -> bytes:
        try:
            self.client.create(batch_id, total_jobs, sealed=sealed)
        except ProgressError as error:
            log.warning("batch %s is not created: %s", batch_id, error)
            return b"not created\n"
        return b"created\n"


class Lines(socketserver.StreamRequestHandler):
    """Reads the lines of one worker until it ends."""

    server: Relay

    def handle(self) -> None:
        """Take each line; a last one without its end was cut when its worker was killed."""
        with suppress(ConnectionError):
            for line in self.rfile:
                if line.endswith(b"\n") and (answer := self.server.take(json.loads(line))):
                    self.wfile.write(answer)


def main() -> None:
    """Serve until SIGTERM, then send what is left."""
    name, target, *spool = sys.argv[1:]
    path = Path(name)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    path.unlink(missing_ok=True)  # of a relay that was killed
    with (
        Client(target, timeout=CREATE_SECONDS_MAX) as client,
        Reporter(target, spool=spool[0] if spool else None) as reporter,
        Relay(path, client, reporter) as relay,
    ):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            relay.serve_forever()
        finally:
            path.unlink()


if __name__ == "__main__":
    main()
