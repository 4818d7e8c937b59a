"""What `make protos` writes from protos/. Nothing in here is edited by hand."""
