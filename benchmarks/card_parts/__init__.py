"""The parts of ``benchmarks/card.py``."""
