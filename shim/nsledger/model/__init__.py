"""The words of the ledger: namespaces, refs, events, records, judgements. No I/O, no rules."""
