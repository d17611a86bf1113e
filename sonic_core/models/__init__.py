"""The models behind one protocol. They share nothing but it."""
