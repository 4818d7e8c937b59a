"""From three layers to sharing and verdict, and what containerd will write. Pure."""
