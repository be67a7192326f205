"""One module per simulated tool: ``run(process, pace)`` is what its launcher calls."""
