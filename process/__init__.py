"""What every program needs around its work: settings, logs, signals. Knows no gRPC and no database."""
