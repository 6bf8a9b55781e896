"""The cost of a report in the thread of the job."""
