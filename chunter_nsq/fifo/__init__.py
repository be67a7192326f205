"""FiFo's forms of packages, datasets, configurations and firewall rules, and what vmadm and fwadm make of them.

Everything here is a pure function of JSON objects and :class:`~chunter_nsq.fifo.facts.HostFacts`: nothing is read
from the host and no argument is changed.
"""
