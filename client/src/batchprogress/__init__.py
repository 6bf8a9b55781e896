"""Report the results of jobs and watch batches live."""
