"""Picture and sound compared: how a mouth moves in a video, and by how much its sound is out of step with it."""
