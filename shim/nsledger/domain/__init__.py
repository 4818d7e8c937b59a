"""What namespaces, pods and records are, and what follows from them: pure, no I/O and no clock."""
