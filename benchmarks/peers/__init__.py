"""What the agent is compared with: the same echo on other foundations."""
