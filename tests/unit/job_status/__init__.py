"""The rules by which a queue's own records become counts, jobs and refusals."""
