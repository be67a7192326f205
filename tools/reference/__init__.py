"""The parts of docs/ that are made from the code and from a real run: `make docs`."""
