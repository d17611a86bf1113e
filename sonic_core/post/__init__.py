"""What happens to a clip after it was animated."""
