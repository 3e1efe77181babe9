"""The command `paceboard`."""
