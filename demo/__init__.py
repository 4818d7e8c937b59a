"""A private node in a temporary directory, for `make demo` and for the tests on real containerd."""
