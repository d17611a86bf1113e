"""The parts of ``benchmarks/portraits.py``."""
