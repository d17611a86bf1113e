"""Distil sonic-base: a student of one branch and few steps, which quality "live" runs; docs/learning.md."""
