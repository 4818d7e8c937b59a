"""The append-only, hash-chained file of records."""
