"""One module per family of actions."""
