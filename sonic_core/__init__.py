"""Sonic: one portrait and one sound become a talking video. The engine; it runs without any host."""
