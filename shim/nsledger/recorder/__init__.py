"""From events to records in the ledger: the one writer thread."""
