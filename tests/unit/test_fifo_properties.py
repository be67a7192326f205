"""What holds for every input of the translation."""

from __future__ import annotations

import contextlib
import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from chunter_nsq.errors import InvalidMessage, Unsupported
from chunter_nsq.fifo.config import _KEPT, from_vmadm, to_fifo
from chunter_nsq.fifo.create import to_vmadm
from chunter_nsq.fifo.facts import HostFacts
from chunter_nsq.fifo.firewall import rule_texts
from chunter_nsq.fifo.update import create_update

_EXAMPLES = settings(max_examples=60)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
_VM_KEYS = (
    *_KEPT,
    "brand",
    "docker",
    "disks",
    "nics",
    "zonepath",
    "image_uuid",
    "dataset_uuid",
    "owner_uuid",
    "package_name",
    "customer_metadata",
    "internal_metadata",
    "max_physical_memory",
    "create_timestamp",
)
_BRANDS = st.sampled_from(["joyent", "lx", "kvm", "bhyve", "ipkg", "new"])
_DISKS = st.lists(
    st.fixed_dictionaries({}, optional={"size": _JSON, "boot": _JSON, "path": _JSON, "image_uuid": _JSON})
)
_VM = st.builds(
    lambda anything, likely: anything | likely,
    st.dictionaries(st.sampled_from(_VM_KEYS), _JSON),
    st.fixed_dictionaries({}, optional={"brand": _BRANDS, "disks": _DISKS}),
)
_HOST = st.builds(HostFacts, total_memory_mib=st.integers(0, 2**22), now_ms=st.integers(0, 2**42))
_SIZE = st.integers(0, 2**20) | st.floats(0, 2**20)
_PACKAGE = st.fixed_dictionaries(
    {"uuid": st.text(), "ram": _SIZE, "quota": _SIZE, "cpu_cap": _SIZE},
    optional={"max_swap": _SIZE, "cpu_shares": _SIZE, "compression": st.text(), "blocksize": _SIZE},
)
_DATASET = st.fixed_dictionaries(
    {"uuid": st.text(), "type": st.sampled_from(["zone", "kvm", "bhyve"]), "image_size": _SIZE},
    optional={"zone_type": st.sampled_from(["lx", "docker", "other"]), "kernel_version": st.text()},
)
_CONFIG = st.fixed_dictionaries(
    {},
    optional={
        "nics": st.lists(st.dictionaries(st.text(), _JSON, max_size=2), max_size=2),
        "metadata": st.dictionaries(st.text(), _JSON, max_size=2),
        "docker": st.dictionaries(st.text(), _JSON, max_size=2),
        "ssh_keys": st.text(),
        "root_pw": st.text(),
        "resolvers": st.lists(st.text(), max_size=2),
        "note": _JSON,
        "alias": _JSON,
    },
)


def _unchanged(translate, *forms):
    """The JSON text of a result, with the proof that the forms it came from are as they were."""
    before = copy.deepcopy(forms)
    result = translate(*forms)
    assert before == forms
    return json.dumps(result, allow_nan=False)


@_EXAMPLES
@given(vm=_VM, zone_root=st.none() | st.tuples(st.integers(0, 2**60), st.integers(0, 2**60)))
def test_any_vm_has_a_configuration(vm, zone_root):
    """Any object of vmadm's kind has a configuration, which is JSON, and stays as it was."""
    _unchanged(lambda given_vm: to_fifo(given_vm, zone_root), vm)
    _unchanged(from_vmadm, vm)


@_EXAMPLES
@given(vm=_VM)
def test_no_secret_is_published(vm):
    """Internal metadata is published only as note and network map, and never in place of a property."""
    spoofed = vm | {"internal_metadata": {"root_pw": "s", "uuid": "spoof", "zone_type": "spoof", "docker:x": 1}}
    without = {key: value for key, value in vm.items() if key != "internal_metadata"}
    assert to_fifo(without) == to_fifo(spoofed)


@_EXAMPLES
@given(package=_PACKAGE, dataset=_DATASET, config=_CONFIG, host=_HOST)
def test_a_complete_order_has_a_payload(package, dataset, config, host):
    """A complete order gives a JSON payload with the NICs asked for, and stays as it was."""
    order = dataset | {"kernel_version": "3.13.0"}
    payload = json.loads(_unchanged(lambda p, d, c: to_vmadm(p, d, c, host), package, order, config))
    assert payload["max_swap"] >= 256
    assert len(config.get("nics", [])) == len(payload.get("nics", []))


@_EXAMPLES
@given(vm=_VM, package=st.none() | _PACKAGE | _JSON, config=_CONFIG | _JSON, host=_HOST)
def test_an_update_is_a_payload_or_a_refusal(vm, package, config, host):
    """Whatever is asked of whatever VM ends in a JSON payload or in a refusal, never in a crash."""
    with contextlib.suppress(InvalidMessage, Unsupported):
        _unchanged(lambda v, p, c: create_update(v, p, c, host), vm, package, config)


@_EXAMPLES
@given(package=_JSON, dataset=_JSON | _DATASET, config=_JSON, host=_HOST)
def test_a_create_is_a_payload_or_a_refusal(package, dataset, config, host):
    """Whatever is ordered ends in a JSON payload or in a refusal, never in a crash."""
    with contextlib.suppress(InvalidMessage, Unsupported):
        _unchanged(lambda p, d, c: to_vmadm(p, d, c, host), package, dataset, config)


@_EXAMPLES
@given(
    rule=_JSON
    | st.fixed_dictionaries(
        {
            "action": st.sampled_from(["allow", "block"]),
            "direction": st.sampled_from(["inbound", "outbound"]),
            "protocol": st.sampled_from(["tcp", "udp", "icmp"]),
            "target": st.just("all") | st.fixed_dictionaries({"ip": st.ip_addresses().map(str) | _JSON}) | _JSON,
            "filters": st.just("all") | st.lists(st.integers(0, 70000) | _JSON, max_size=3),
        }
    )
)
def test_a_rule_is_a_line_or_a_refusal(rule):
    """Whatever stands in a rule, its text is one line about this VM, or there is a refusal."""
    vm = "0f570678-c007-4610-a2c0-bbfcaab9f4e6"
    try:
        (text,) = rule_texts(vm, [rule])
    except (InvalidMessage, Unsupported):
        return
    assert text.startswith("FROM ")
    assert f"vm {vm}" in text
    assert text.isprintable()
