"""Learning: how the weights in this package were made, and can be made anew. Nothing that animates needs it."""
