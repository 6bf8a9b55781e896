"""A web application that shows its users the progress of a batch, without a framework.

GATEWAY_CORS_ORIGINS=http://127.0.0.1:8000 make serve
python examples/web/app.py 127.0.0.1:50051 http://127.0.0.1:8080 8000    # and a file with a reader's token
Open http://127.0.0.1:8000/?batch=import-1
"""

import sys
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from batchprogress import Client

HERE = Path(__file__).parent
ELEMENT = HERE.parents[1] / "clients" / "web" / "batch-progress.js"
target, gateway, port, *token_files = sys.argv[1:]
token = Path(token_files[0]).read_text(encoding="utf-8").strip() if token_files else None
client = Client(target, token=token)


class Application(BaseHTTPRequestHandler):
    """Serves the page, the element, and watch tokens."""

    def do_GET(self) -> None:  # the name of the library
        """Answer a request."""
        path, batch_id = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query).get("batch", [""])[0]
        if path == "/watch-token":
            # Your application checks here that its user may see this batch.
            self.answer("text/plain", client.create_watch_token(batch_id, ttl=900).token)
        elif path == "/batch-progress.js":
            self.answer("text/javascript", ELEMENT.read_text(encoding="utf-8"))
        else:
            page = (HERE / "index.html").read_text(encoding="utf-8")
            page = page.replace("{{ gateway }}", escape(gateway)).replace("{{ batch }}", escape(batch_id))
            self.answer("text/html; charset=utf-8", page)

    def answer(self, content_type: str, text: str) -> None:
        """Send an answer that no cache keeps."""
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("cache-control", "no-store")
        self.end_headers()
        self.wfile.write(text.encode())


with ThreadingHTTPServer(("127.0.0.1", int(port)), Application) as server:
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)  # noqa: T201  # where to look
    server.serve_forever()
