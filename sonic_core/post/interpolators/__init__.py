"""Frames between frames: what the protocol ``Interpolator`` of ``post.retime`` asks for."""
