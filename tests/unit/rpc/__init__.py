"""Rules of the code that both gRPC servers share."""
