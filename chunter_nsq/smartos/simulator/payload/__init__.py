"""Payloads of vmadm: what may be in them, what is wrong with them, what they become."""
