"""What a batch is (pure) and where it is kept. Knows no gRPC, no protobuf and no Kubernetes."""
