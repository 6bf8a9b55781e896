"""Events through proxies that buffer, compress and cut quiet answers wherever they may."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from database_servers.home import ServerHome
from database_servers.ports import free_port
from services.gateway.live import event_stream
from tests.proxies.programs import command_of
from tests.support.events import COMMENT, viewed
from tests.support.eventually import eventually
from tests.support.gateway import Door, gateway
from tests.support.progress import served

pytestmark = pytest.mark.more("starts proxies")
QUIET_SECONDS = 1
"""After so long a proxy of this test cuts an answer that says nothing; by default it is 50 or 60 s."""
COMMENT_SECONDS = 0.2
STOP_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy with a configuration for HTTP."""

    name: str
    text: str
    arguments: tuple[str, ...]


NGINX = Proxy(
    "nginx",
    """
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy;
    fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    gzip on; gzip_types *; gzip_proxied any; gzip_min_length 0;
    server {
        listen 127.0.0.1:PORT;
        location / { proxy_pass http://127.0.0.1:GATEWAY; proxy_read_timeout QUIETs; }
    }
}
""",
    ("-c", "FILE", "-p", "FOLDER", "-e", "stderr", "-g", "daemon off;"),
)
HAPROXY = Proxy(
    "haproxy",
    """
defaults
    mode http
    timeout connect 5s
    timeout client QUIETs
    timeout server QUIETs
    compression algo gzip
    compression type text/event-stream
frontend web
    bind 127.0.0.1:PORT
    default_backend gateway
backend gateway
    server gateway 127.0.0.1:GATEWAY
""",
    ("-db", "-f", "FILE"),
)

ENVOY = Proxy(
    "envoy",
    """
static_resources:
  listeners:
    - address: { socket_address: { address: 127.0.0.1, port_value: PORT } }
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                stream_idle_timeout: QUIETs
                route_config:
                  virtual_hosts:
                    - name: gateway
                      domains: ["*"]
                      routes: [{ match: { prefix: "/" }, route: { cluster: gateway, timeout: 0s } }]
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
    - name: gateway
      load_assignment:
        cluster_name: gateway
        endpoints:
          - lb_endpoints:
              - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: GATEWAY } } }
""",  # noqa: E501  # the name of a type
    ("-c", "FILE", "--log-level", "warning", "--use-dynamic-base-id"),
)
CADDY = Proxy(
    "caddy",
    """
{
    admin off
}
http://127.0.0.1:PORT {
    encode {
        gzip 1
        match header Content-Type text/event-stream*
    }
    reverse_proxy 127.0.0.1:GATEWAY
}
""",
    ("run", "--config", "FILE", "--adapter", "caddyfile"),
)


@asynccontextmanager
async def through(proxy: Proxy, gateway_port: int, folder: Path) -> AsyncIterator[Door]:
    """Run a proxy before a gateway while the context is open; yields a client of it."""
    port = free_port()
    places = {"PORT": port, "GATEWAY": gateway_port, "QUIET": QUIET_SECONDS}
    text = proxy.text
    for name, value in places.items():
        text = text.replace(name, str(value))
    file = folder / "proxy.yaml"  # Envoy goes by it
    file.write_text(text, encoding="utf-8")
    arguments = [one.replace("FILE", str(file)).replace("FOLDER", str(folder)) for one in proxy.arguments]
    home = ServerHome(proxy.name)
    try:
        home.launch([*command_of(proxy.name), *arguments])
        door = Door(port)
        await eventually(lambda: _answers(door))
        yield door
    finally:
        print(home.log_end())
        home.send(signal.SIGTERM)
        await asyncio.to_thread(home.wait, STOP_SECONDS_MAX)
        home.remove()


async def _answers(door: Door) -> bool:
    try:
        return (await door.send("GET", "/health")).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("proxy", [NGINX, HAPROXY, ENVOY, CADDY], ids=lambda proxy: proxy.name)
async def test_each_event_comes_at_once_and_a_quiet_stream_stays_open(
    proxy: Proxy, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "QUIET_SECONDS_MAX", COMMENT_SECONDS)
    async with (
        served(sqlite_url) as progress,
        gateway(f"127.0.0.1:{progress.port}") as direct,
        through(proxy, direct.port, tmp_path) as door,
    ):
        await progress.create("b", 2)
        async with viewed(door, "b", accept_encoding="gzip") as (_, found):
            assert (await anext(found)).name == "batch"
            for _ in range(round(2 * QUIET_SECONDS / COMMENT_SECONDS)):
                assert (await anext(found)).name in {COMMENT, "batch"}
            await progress.report("b", "1")
            while (await anext(found)).name != "batch":
                pass
            await progress.report("b", "2")
            assert [event.name async for event in found if event.name][-1] == "ended"
