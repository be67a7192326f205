"""A SmartOS platform root behind the real command lines."""
