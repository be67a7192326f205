"""Programs for those who work on chunter; no part of what is installed."""
