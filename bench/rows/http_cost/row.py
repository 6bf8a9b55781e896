"""Compares the CPU time of a post through the gateway with that of a bare HTTP handler and a gRPC call."""

from bench.load.processes import peer_process
from bench.load.workload import Workload
from bench.measure.run import Run
from bench.report.results import Row, at_most, compare_values, server_us
from bench.rows.http_cost.contestants import GrpcClient, OverHttp, gateway_process

CPU_RATIO_MAX = 1.35
POSTS = Workload(workers=64, prepared_calls=20_000)
"""Enough connections to keep one process busy."""
ROUNDS_FACTOR = 5
"""More rounds than other rows: a gRPC call takes 90 to 220 µs, by what else runs on the machine."""
GATEWAY, BARE, CLIENT = "gateway", "bare HTTP handler", "gRPC call"


async def measure_row(run: Run) -> list[Row]:
    """Measure in turns; the gateway and the client call the same server, which only answers."""
    workload = POSTS.prepared_for(run.pace)
    async with (
        run.empty_handler() as server,
        gateway_process(server.targets[0]) as gateway,
        peer_process("bare_http", "") as bare,
    ):
        contestants = [
            OverHttp(GATEWAY, gateway),
            OverHttp(BARE, bare),
            GrpcClient(CLIENT, server.targets[0]),
        ]
        rounds = run.pace.rounds * (ROUNDS_FACTOR if run.pace.is_full else 1)
        seen = await run.take_turns(dict.fromkeys(contestants, workload), rounds=rounds)
    parts = [server_us(bare) + server_us(call) for bare, call in zip(seen[BARE], seen[CLIENT], strict=True)]
    ours = [*map(server_us, seen[GATEWAY])]
    comparison = compare_values("CPU per post, µs", f"{BARE} + {CLIENT}", ours, parts, at_most(CPU_RATIO_MAX))
    return [Row(f"A post of one report, {POSTS.workers} connections", seen, [comparison])]
