"""Newer versions of the agent: found, checked, put in place, watched, and taken back when they do not do."""
