"""What was decoded, as it is meant to be seen: colours, times, sizes and which way up."""
