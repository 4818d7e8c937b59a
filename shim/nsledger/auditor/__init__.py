"""What a call means for the record: follow-up, reconciliation, restore."""
