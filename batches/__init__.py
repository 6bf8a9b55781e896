"""The core: the rules of a batch (pure) and its storage. Independent of gRPC, protobuf and Kubernetes."""
