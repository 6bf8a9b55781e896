"""The alert rules and the dashboard: their metrics exist, and their links lead somewhere."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from batches.settings import DatabaseSettings
from batchprogress.v1 import operations_pb2
from batchprogress.v1 import progress_pb2 as pb
from services.gateway.settings import GatewaySettings
from services.gateway.wiring import gateway_server
from services.notifier.settings import NotifierSettings
from services.notifier.wiring import notifier_process
from tests.integration.observability.conftest import SECONDS_MAX, scraped, value
from tests.support.certificates import Authority
from tests.support.gateway import Door
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "observability"
NAME = re.compile(r"\bbatchprogress_[a-z_]+|\bprocess_[a-z_]+")
INTERVAL = "$__rate_interval"
"""A variable that Grafana replaces."""


def alerts() -> list[dict[str, Any]]:
    """Return the alert rules."""
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def queries() -> list[str]:
    """Return the queries of the dashboard."""
    panels = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.more("needs promtool")
def test_prometheus_accepts_the_rules() -> None:
    """It accepts the scrape configurations too."""
    promtool("check", "rules", FOLDER / "alerts.yaml")
    for name in ("prometheus.yaml", "prometheus-kubernetes.yaml"):
        promtool("check", "config", FOLDER / name)


@pytest.mark.more("needs promtool")
def test_alerts_fire_only_when_they_should() -> None:
    """Each alert fires for its own series, and none fires for a healthy server."""
    promtool("test", "rules", FOLDER / "alerts_test.yaml")
    tested = (FOLDER / "alerts_test.yaml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alerts() if f"alertname: {rule['alert']}" not in tested] == []


@pytest.mark.more("needs promtool")
def test_prometheus_accepts_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    """Each query is valid as a recording rule."""
    rules = [
        {"record": f"query_{number}", "expr": query.replace(INTERVAL, "5m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", file)


def test_every_alert_has_a_panel() -> None:
    """A person who is called by an alert sees since when it is so."""
    shown = set(NAME.findall(" ".join(queries())))
    assert {name for rule in alerts() for name in NAME.findall(rule["expr"])} - shown == set()


async def test_every_used_metric_exists(sqlite_url: str, tmp_path: Path) -> None:
    """A server with TLS, a gateway and a notifier have all metrics of the alerts and the dashboard."""
    certificate, key = Authority("ours").sign("server").write(tmp_path, "server")
    settings = {"tls_certificate_file": certificate, "tls_key_file": key}
    async with scraped(sqlite_url, **settings) as (_, scrape):
        metrics = await scrape()
        while value(metrics, "batchprogress_stuck_batches") is None:  # read some time after the start
            metrics = await scrape()
    metrics += await _metrics_of_a_gateway() + await _metrics_of_a_notifier(sqlite_url)
    existing = set(re.findall(r"^([a-z_]+)", metrics, re.MULTILINE)) | {
        f"{name}_{part}"
        for name in re.findall(r"^# TYPE (\S+) histogram$", metrics, re.MULTILINE)
        for part in ("bucket", "count", "sum")  # they appear with the first call
    }
    named = {
        name for text in (*queries(), *(rule["expr"] for rule in alerts())) for name in NAME.findall(text)
    }
    assert named - existing == set()


async def _metrics_of_a_gateway() -> str:
    settings = GatewaySettings(listen="127.0.0.1:0", progress_target="127.0.0.1:1")
    async with gateway_server(settings) as (server, _):
        return (await Door(server.metrics_port).send("GET", "/metrics")).body.decode()


async def _metrics_of_a_notifier(url: str) -> str:
    settings, database = NotifierSettings(), DatabaseSettings(database_url=SecretStr(url))
    async with notifier_process(settings, database) as (process, _):
        door, metrics = Door(process.admin.metrics_port), ""
        async with asyncio.timeout(SECONDS_MAX):
            while "batchprogress_webhooks_dead" not in metrics:  # read some time after the start
                metrics = (await door.send("GET", "/metrics")).body.decode()
    return metrics


def test_labels_exist_in_the_contract() -> None:
    """All methods and states in the queries exist."""
    text = "".join((*queries(), *(rule["expr"] for rule in alerts())))
    methods = {
        one.name
        for service in (
            pb.DESCRIPTOR.services_by_name["ProgressService"],
            operations_pb2.DESCRIPTOR.services_by_name["OperationsService"],
        )
        for one in service.methods
    }
    for pattern in re.findall(r'method=~"([^"]+)"', text):
        assert any(re.fullmatch(pattern, name) for name in methods), pattern
    names = pb.DESCRIPTOR.enum_types_by_name["BatchState"].values_by_name
    states = {name.removeprefix("BATCH_STATE_") for name in names}
    assert set(re.findall(r'state="([^"]+)"', text)) <= states


@pytest.mark.parametrize("alert", [rule["alert"] for rule in alerts()])
def test_every_alert_has_a_runbook(alert: str) -> None:
    """The runbook of an alert is a heading of docs/alerts.md."""
    (rule,) = (one for one in alerts() if one["alert"] == alert)
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert (anchor, alert in headings) == (alert.lower(), True)
