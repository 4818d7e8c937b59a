"""A rebuildable SQLite projection of the ledger."""
