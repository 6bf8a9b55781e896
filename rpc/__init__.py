"""What every gRPC server shares: answers, callers, settings, telemetry, serving."""
