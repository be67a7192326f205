"""Services of the global zone and of every running zone that has any."""
