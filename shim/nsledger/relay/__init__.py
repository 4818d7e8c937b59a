"""The relay's sockets: accept, dial, pump, hold, drain. What the bytes mean is http2's."""
