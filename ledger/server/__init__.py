"""The gRPC server: servicers, waiting, processes."""
