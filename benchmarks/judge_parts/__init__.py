"""The parts of ``benchmarks/judge.py``."""
