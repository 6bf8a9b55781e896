"""Chunks of a purge become as small as the database needs them, and larger again."""

from batches.store.deletion import CHUNK_ROWS
from reconciler.run.chunk_size import CHUNK_ROWS_MIN, CHUNK_SECONDS, PAUSE_SECONDS_MAX, ChunkSize


def test_chunk_that_takes_long_is_followed_by_smaller_ones() -> None:
    size = ChunkSize()
    size.pause_after(2 * CHUNK_SECONDS)
    assert size.rows_max == CHUNK_ROWS // 2
    size.pause_after(100 * CHUNK_SECONDS)
    assert size.rows_max == CHUNK_ROWS_MIN


def test_chunks_grow_again() -> None:
    size = ChunkSize()
    size.pause_after(100 * CHUNK_SECONDS)
    chunks = 0
    while size.rows_max < CHUNK_ROWS:
        size.pause_after(CHUNK_SECONDS / 10)
        chunks += 1
    assert chunks <= 4
    size.pause_after(0.0)
    assert size.rows_max == CHUNK_ROWS


def test_purge_pauses_for_as_long_as_its_chunk_took() -> None:
    assert ChunkSize().pause_after(0.3) == 0.3
    assert ChunkSize().pause_after(60.0) == PAUSE_SECONDS_MAX
