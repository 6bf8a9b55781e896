"""The failed jobs of a batch as a table of pandas, which reads a list of dataclasses by their fields."""

from dataclasses import asdict, is_dataclass
from datetime import UTC

from batchprogress import Client, JobOutcome, Reporter, testing


def test_results_are_dataclasses_of_plain_values() -> None:
    """As pandas.DataFrame(client.results(…)) reads them: by the fields of the first one."""
    with testing.server() as server, Client(server.target) as client:
        client.create("b", 3)
        with Reporter(server.target, "b") as reporter:
            reporter.failed("1", ValueError("no"))
            reporter.failed("2", "no", error_type="E", error_details="trace")
            reporter.succeeded("3")
        failed = list(client.results("b", outcome=JobOutcome.FAILED))
        assert all(map(is_dataclass, failed))
        rows = [asdict(one) for one in failed]
        assert [(row["job_id"], row["error_type"], row["attempt"]) for row in rows] == [
            ("1", "ValueError", 1),
            ("2", "E", 1),
        ]
        assert {row["record_time"].tzinfo for row in rows} == {UTC}
        assert client.job_result("b", "2").error_details == "trace"
