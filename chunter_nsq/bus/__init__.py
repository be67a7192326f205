"""The edge to NSQ: bytes in, bytes out. The only package that imports nsq."""
