"""What a sound tells of whoever speaks in it: mouth, melody, stress, activity."""
