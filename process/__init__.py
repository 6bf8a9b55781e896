"""Settings, logs and signals of every program. Independent of gRPC and of the database."""
