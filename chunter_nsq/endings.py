"""How a command may end badly: the errors that an action declares, each with what it means there.

An action names its own, mostly by joining what stands here. What becomes of every command, or of every command of its
kind, the dispatcher does, so nobody needs to name it.
"""

from __future__ import annotations

from chunter_nsq.errors import (
    Cancelled,
    ChecksumMismatch,
    Expired,
    Fault,
    Forbidden,
    InsufficientResources,
    Internal,
    Interrupted,
    InvalidMessage,
    InvalidState,
    NotAuthorized,
    NotFound,
    StorageFailed,
    ToolFailed,
    ToolTimeout,
    Unsupported,
)

Errors = dict[type[Fault], str]

EVERY: Errors = {
    InvalidMessage: "it is not as this page says; every fault is named with its place",
    NotAuthorized: "this host takes signed commands, and the signature is missing or wrong, or its key may not do this",
    Expired: "`expires` had passed before it began",
    Interrupted: "the agent was replaced meanwhile by a version that does not know it",
    Internal: "a fault of the agent itself; its log has the command's id",
}
SWITCHED: Errors = {Forbidden: "it is switched off in chunter.conf"}
WAITS: Errors = {Cancelled: "command.cancel ended it"}
CUT_OFF: Errors = {Interrupted: "the agent ended while it ran, and the host does not show how far it came"}

TOOLS: Errors = {
    ToolFailed: "a tool of the platform refused; `details` has its argument vector, exit status and last words",
    ToolTimeout: "a tool did not end in its time and was killed",
}
MACHINE: Errors = {NotFound: "there is no such machine here"}
DESTROYS: Errors = {
    InsufficientResources: "the pool is so full that nothing can be destroyed in it",
    Unsupported: "ZFS cannot do it in a pool of this version",
}
LARGE: Errors = {Unsupported: "the answer is larger than a message may be"}
STORE: Errors = {
    StorageFailed: "the object store refused, or could not be reached",
    InvalidState: "no store is configured, and none was given",
}
MANIFESTS: Errors = {ChecksumMismatch: "what the store has is not what was stored"}
KEYS: Errors = {Interrupted: "the agent ended, and with it the keys that came with the command"}
