"""What can be wrong with nsledger on a node: named checks, each with its evidence and remedy."""
