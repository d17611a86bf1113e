"""A cast: several people in one picture, each of whom speaks by a sound of its own while the others listen."""
