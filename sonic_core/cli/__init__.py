"""The command line: ``python -m sonic_core``."""
