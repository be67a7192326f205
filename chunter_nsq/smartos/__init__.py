"""One module per platform tool: argument vectors, parsers, typed errors."""
