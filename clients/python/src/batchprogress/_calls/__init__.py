"""The calls of the server: requests, answers, errors and retries, shared by Client and AsyncClient."""
