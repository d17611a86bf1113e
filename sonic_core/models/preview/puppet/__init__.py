"""One portrait, drawn in any pose."""
