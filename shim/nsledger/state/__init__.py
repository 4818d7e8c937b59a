"""Folds over records: pods, ownership, findings, coverage, a pod at a time. Pure."""
