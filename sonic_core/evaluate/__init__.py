"""Judging what was made."""
