"""The calls of ProgressService: requests, answers, errors and retries, shared by Client and AsyncClient."""
