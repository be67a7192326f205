"""The edge to NSQ: a consumer and a producer, bytes in and bytes out, knowing neither commands nor events."""
