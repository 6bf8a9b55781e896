"""The contract over Connect and gRPC-Web: each call is passed on to the progress server."""
