"""FiFo's forms of packages, datasets and configurations."""
