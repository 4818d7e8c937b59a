"""The composition roots of `nsledger serve`, and what they are configured with."""
