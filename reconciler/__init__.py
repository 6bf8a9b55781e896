"""The reconciler: one pass over the batches that no worker will end, then exit.

selection ─▶ crew ─▶ repairer ─▶ job_status ─▶ the queue
                        │   └──▶ listing
                        ├─▶ decide (pure)
                        └─▶ writer ─▶ batches/store
"""
