"""The OCI hook: one file of standard library, run by `python3 -I -S`."""
