"""What is asked of a ledger: targets, whois, history, other tools' events, the sharing graph."""
