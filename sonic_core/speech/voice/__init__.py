"""The voice in a sound: without its noise, where it speaks, and whose it is."""
