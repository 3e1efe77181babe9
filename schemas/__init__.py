"""What a fact looks like: messages, reference rows, state rows, limits. Everything imports this."""
