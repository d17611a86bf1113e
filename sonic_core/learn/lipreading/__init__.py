"""Teach the mouth network from synthesised speech: ``python -m sonic_core learn lipreading``; docs/training.md.

Nobody's recording and no hand label is used: espeak-ng says invented text and reports when it says which sound, a table
says what lips do for that sound, and the sound is roughened until the network copes with real microphones.
"""
