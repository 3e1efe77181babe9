"""What the container image needs of its own."""
