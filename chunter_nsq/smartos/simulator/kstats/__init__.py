"""The kernel's statistics: of the host, its processors, and every running zone."""
