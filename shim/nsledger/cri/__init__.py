"""What a relayed stream means: the only package that knows CRI messages and gRPC."""
