"""Eight bugs that systems of this kind really have, each as a change of our own code.

The suite applies one at a time to a copy of the checkout and runs the tests that must
catch it there: a test that cannot fail proves nothing.
"""

from dataclasses import dataclass
from pathlib import Path

STORM = "tests/faults/test_01_duplicate_storm.py"
SERVER_KILLED = "tests/faults/test_02_server_killed.py"
WATCH = "tests/faults/test_09_watch.py"
DATABASE_KILLED = "tests/faults/test_03_database_killed.py"
ROLLOUT = "tests/faults/test_08_rolling_restart.py"


@dataclass(frozen=True, slots=True)
class Change:
    """A text of a file and what takes its place; the text must be there exactly once."""

    path: str
    old: str
    new: str

    def apply(self, root: Path) -> None:
        """Change the file below a root."""
        file = root / self.path
        text = file.read_text()
        assert text.count(self.old) == 1, f"{self.path} does not hold once: {self.old}"
        file.write_text(text.replace(self.old, self.new))


@dataclass(frozen=True, slots=True)
class SeededBug:
    """A bug and the tests of which at least one must fail because of it."""

    name: str
    changes: tuple[Change, ...]
    caught_by: tuple[str, ...]


SEEDED_BUGS = (
    SeededBug(
        "counter in a second transaction",
        (
            Change(
                "batches/store/recording.py",
                "    await save_batches(connection, recording.changed)\n",
                "",
            ),
            Change(
                "batches/store/batch_store.py",
                "        return await self._database.write(\n"
                "            lambda c: recording.record_results(c, submitted, source, fingerprints)\n"
                "        )\n",
                "        recorded = await self._database.write(\n"
                "            lambda c: recording.record_results(c, submitted, source, fingerprints)\n"
                "        )\n"
                "        await self._database.write(lambda c: rows.save_batches(c, recorded.changed))\n"
                "        return recorded\n",
            ),
        ),
        (STORM, SERVER_KILLED),
    ),
    SeededBug(
        "acknowledge before commit",
        (
            Change(
                "batches/store/database.py",
                "        async with self._engine.begin() as connection:\n"
                "            return await work(connection)\n",
                "        connection = await self._engine.connect()\n"
                "        transaction = await connection.begin()\n"
                "        result = await work(connection)\n\n"
                "        async def commit_soon() -> None:\n"
                "            await asyncio.sleep(0.05)\n"
                "            await transaction.commit()\n"
                "            await connection.close()\n\n"
                "        self._running.add(asyncio.ensure_future(commit_soon()))\n"
                "        return result\n",
            ),
        ),
        (DATABASE_KILLED, SERVER_KILLED),
    ),
    SeededBug(
        "duplicate check dropped",
        (
            Change(
                "batches/recording.py",
                "        previous = self._latest.get(result.job_id) or stored.get(key)\n",
                "        previous = None\n",
            ),
        ),
        ("tests/integration/progress/test_reporting.py",),
    ),
    SeededBug(
        "watch queues states instead of newest wins",
        (
            Change(
                "services/progress/watch_hub.py",
                "                await self._readable(topic, flag, batch_id, first_read)\n"
                "                snapshot = topic.snapshot\n",
                "                await self._readable(topic, flag, batch_id, first_read)\n"
                "                newer = [s for s in topic.history if s.batch.revision > after_revision]\n"
                "                snapshot = newer[0] if newer else topic.snapshot\n",
            ),
            Change(
                "services/progress/watch_hub.py",
                "            topic.snapshot = newest.get(batch_id, topic.snapshot)\n",
                "            topic.snapshot = newest.get(batch_id, topic.snapshot)\n"
                "            topic.history += [newest[batch_id]] if batch_id in newest else []\n",
            ),
            Change(
                "services/progress/watch_hub.py",
                "    gone: bool = False\n",
                "    gone: bool = False\n    history: list[Snapshot] = field(default_factory=list)\n",
            ),
        ),
        ("tests/integration/progress/test_watching.py", WATCH),
    ),
    SeededBug(
        "CANCELLED is not retried",
        (
            Change(
                "client/src/batchprogress/_grpc/retry.py",
                "        grpc.StatusCode.CANCELLED,\n",
                "",
            ),
        ),
        (ROLLOUT,),
    ),
    SeededBug(
        "reconciler without its revision condition",
        (
            Change(
                "batches/store/repairs.py",
                "    if before.revision != plan.revision or before.has_ended:\n",
                "    if before.has_ended:\n",
            ),
        ),
        ("tests/integration/store/test_repairs.py",),
    ),
    SeededBug(
        "REPEATABLE READ without the row lock",
        (
            Change(
                "batches/store/database.py",
                'isolation_level="READ COMMITTED"',
                'isolation_level="REPEATABLE READ"',
            ),
            Change(
                "batches/store/rows.py",
                "    .with_for_update()\n",
                "",
            ),
        ),
        (STORM,),
    ),
    SeededBug(
        "tallies read from a stale snapshot",
        (
            Change(
                "batches/store/rows.py",
                '    return [to_batch(row) for row in await connection.execute(_LOCKED, {"keys": keys})]\n',
                "    stale = SELECT_BATCH.where(_table.batch_key.in_(keys)).order_by(_table.batch_key)\n"
                "    batches = [to_batch(row) for row in await connection.execute(stale)]\n"
                '    await connection.execute(_LOCKED, {"keys": keys})\n'
                "    return batches\n",
            ),
        ),
        (STORM,),
    ),
)
