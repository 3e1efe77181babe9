"""One module a command, or a group of them; what is heavy is imported when it runs."""
