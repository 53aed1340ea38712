"""What callers need to test against this package; import the submodules."""
