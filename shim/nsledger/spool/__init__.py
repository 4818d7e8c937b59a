"""Where hooks leave their records until the daemon takes them in."""
