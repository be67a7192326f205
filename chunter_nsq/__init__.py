"""chunter-nsq: the agent that makes a SmartOS hypervisor drivable through NSQ."""

__version__ = "0.1.0"
