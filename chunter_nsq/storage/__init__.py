"""Byte streams to and from an object store; knows neither commands nor events nor ZFS."""
