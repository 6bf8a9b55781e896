"""What every gRPC server here shares: refusals, field checks, page tokens, health, the server itself."""
