"""A web application whose pages have the element, on an origin of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from tests.support.progress import ROOT

FILE = ROOT / "clients" / "web" / "batch-progress.js"
PATH = "/batch-progress.js"
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src http://127.0.0.1:*; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
"""As strict as a page can be: no inline script or style, no markup from strings."""
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>Imports</title>
<script type="module" src="{script}"></script>
<body>{body}</body>
</html>
"""


class Application(ThreadingHTTPServer):
    """Serves one page and the element."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = ""
        """What is in the page."""
        self.script = PATH
        """The first script of the page."""
        self.files: dict[str, bytes] = {}
        """Further scripts, by their paths."""
        self.policy = POLICY

    @property
    def origin(self) -> str:
        """The origin of its pages."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer_to(self, path: str) -> tuple[str, bytes]:
        """Return a content type and a body."""
        if path == PATH:
            return "text/javascript", FILE.read_bytes()
        if path in self.files:
            return "text/javascript", self.files[path]
        return "text/html", PAGE.format(script=self.script, body=self.body).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Application

    def do_GET(self) -> None:  # the name of the library
        """Answer a request."""
        kind, body = self.server.answer_to(self.path)
        self.send_response(200)
        headers = {"content-type": kind, "content-length": str(len(body))}
        headers["content-security-policy"] = self.server.policy
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def application() -> Iterator[Application]:
    """Serve while the context is open."""
    with Application() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
