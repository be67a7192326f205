"""The platform's firewall rule language: pure functions from text to rules and back."""
