"""What the agent says of itself over HTTP."""
