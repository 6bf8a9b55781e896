"""The alert rules and the dashboard: what they read is there, and what they say leads somewhere."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.observability.conftest import scraped, value
from tests.support.certificates import Authority
from tests.support.prometheus import promtool

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "observability"
NAME = re.compile(r"\bbatchprogress_[a-z_]+|\bprocess_[a-z_]+")
INTERVAL = "$__rate_interval"
"""What Grafana fills in."""


def alerts() -> list[dict[str, Any]]:
    """Return the rules of the alerts."""
    (group,) = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def queries() -> list[str]:
    """Return what the dashboard asks for."""
    panels = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_prometheus_takes_the_rules() -> None:
    """The rules and the scrape configuration are well formed."""
    promtool("check", "rules", FOLDER / "alerts.yaml")
    for name in ("prometheus.yaml", "prometheus-kubernetes.yaml"):
        promtool("check", "config", FOLDER / name)


def test_alerts_fire_when_they_should() -> None:
    """Each alert fires on the series that it is for, and none on a server that is well."""
    promtool("test", "rules", FOLDER / "alerts_test.yaml")
    tested = (FOLDER / "alerts_test.yaml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alerts() if f"alertname: {rule['alert']}" not in tested] == []


def test_prometheus_takes_the_queries_of_the_dashboard(tmp_path: Path) -> None:
    """Each query is one: as the rule of a record it is well formed."""
    rules = [
        {"record": f"query_{number}", "expr": query.replace(INTERVAL, "5m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}), encoding="utf-8")
    promtool("check", "rules", file)


async def test_every_metric_is_there(sqlite_url: str, tmp_path: Path) -> None:
    """What alerts and dashboard name, a server with TLS tells."""
    certificate, key = Authority("ours").sign("server").write(tmp_path, "server")
    settings = {"tls_certificate_file": certificate, "tls_key_file": key}
    async with scraped(sqlite_url, **settings) as (_, scrape):
        metrics = await scrape()
        while value(metrics, "batchprogress_stuck_batches") is None:  # read once after the start
            metrics = await scrape()
    told = set(re.findall(r"^([a-z_]+)", metrics, re.MULTILINE)) | {
        f"{name}_{part}"
        for name in re.findall(r"^# TYPE (\S+) histogram$", metrics, re.MULTILINE)
        for part in ("bucket", "count", "sum")  # they come with the first call
    }
    named = {
        name for text in (*queries(), *(rule["expr"] for rule in alerts())) for name in NAME.findall(text)
    }
    assert named - told == set()


def test_labels_are_those_of_the_contract() -> None:
    """The methods and states that are named exist."""
    text = "".join((*queries(), *(rule["expr"] for rule in alerts())))
    methods = {one.name for one in pb.DESCRIPTOR.services_by_name["ProgressService"].methods}
    for pattern in re.findall(r'method=~"([^"]+)"', text):
        assert any(re.fullmatch(pattern, name) for name in methods), pattern
    names = pb.DESCRIPTOR.enum_types_by_name["BatchState"].values_by_name
    states = {name.removeprefix("BATCH_STATE_") for name in names}
    assert set(re.findall(r'state="([^"]+)"', text)) <= states


@pytest.mark.parametrize("alert", [rule["alert"] for rule in alerts()])
def test_every_alert_says_what_to_do(alert: str) -> None:
    """An alert's runbook is a heading of docs/operations.md."""
    (rule,) = (one for one in alerts() if one["alert"] == alert)
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (.+)$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert (anchor, alert in headings) == (alert.lower(), True)
