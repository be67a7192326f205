from __future__ import annotations

from chunter_nsq.smartos.stars import secrets_of, starred, starred_argv, without_secrets


def test_longer_secrets_first():
    """A secret that is part of a longer one does not leave the rest of the longer one readable."""
    assert starred("x hunter22 hunter2", ["hunter2", "hunter22", ""]) == "x *** ***"


def test_argument_vector():
    """Secrets are starred within words too."""
    assert ("vmadm", "pw=***") == starred_argv(("vmadm", "pw=abcd"), {"abcd"})


def test_document_without_secrets():
    """Members that are secret by name or look like a password's hash are gone, at any depth."""
    document = {
        "Hostname": "smartos01",
        "Boot Parameters": {
            "console": "text",
            "root_shadow": "$5$abcdefgh$0123456789",
            "shadow": "x",
            "noimport": "$6$abcdefgh$0123456789abcdef",
            "s3_secret_key": "x",
            "rootpw": {"deep": "x"},
        },
        "list": [{"admin_password": "x", "a": 1}],
    }

    assert {
        "Hostname": "smartos01",
        "Boot Parameters": {"console": "text", "rootpw": {"deep": "x"}},
        "list": [{"a": 1}],
    } == without_secrets(document)


def test_secrets_of_a_payload():
    """The secret texts of a payload are found at any depth; too short ones would star out everything."""
    payload = {
        "alias": "web0",
        "vnc_password": "geheim12",
        "internal_metadata": {"root_pw": "rootpass", "set": {"api_key": ["k-123456", {"x": "y-123456"}]}},
        "customer_metadata": {"my_token": "abc", "admin_hash": "$6$salt$abcdefghijk"},
    }

    assert {"geheim12", "rootpass", "k-123456", "y-123456", "$6$salt$abcdefghijk"} == secrets_of(payload)
