"""Makes what operators download: one self-extracting file for each version, an index of them, and signatures."""
