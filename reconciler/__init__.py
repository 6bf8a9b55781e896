"""The reconciler: one pass over the batches that no worker will end, then exit.

run/sweep ─▶ run/workers ─▶ run/repairer ─▶ queue/client ─▶ the queue
                                  │   └───▶ queue/reader
                                  ├───────▶ decision/decide (pure)
                                  └───────▶ batches/store
output/ shows what was done.
"""
