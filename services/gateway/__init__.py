"""The gateway: ProgressService and OperationsService over HTTP, as a plain client of both."""
