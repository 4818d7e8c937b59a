"""Where in a ledger the entries about something stand: a projection that can be deleted."""
