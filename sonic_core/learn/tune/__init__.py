"""Tune sonic-base on videos of one's own: a LoRA of its UNet; docs/learning.md."""
