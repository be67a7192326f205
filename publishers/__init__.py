"""One module per thing the host tells."""
