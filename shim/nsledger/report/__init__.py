"""Tables, JSON, YAML and pictures."""
