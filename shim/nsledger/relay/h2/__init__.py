"""The relay's core without I/O: bytes in, bytes and events out."""
