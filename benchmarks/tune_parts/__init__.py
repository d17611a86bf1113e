"""Parts of ``benchmarks/tune.py``."""
