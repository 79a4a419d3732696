"""What several scenarios ask."""

import uuid

from harness.process import SetupError, wait_for
from harness.report import CaseFailed, expect

PASSPHRASE = "the pass phrase of a vtpm"


def no_tpm_left(host):
    """No daemon is left when its guest is off."""
    try:
        wait_for(lambda: not host.tpms(), 10, "end of the TPM daemon")
    except SetupError as e:
        raise CaseFailed(f"host {host.name}: a TPM daemon still runs although no guest does") from e


def without_lock(files):
    """A TPM's files but the lock, which says nothing and may come and go."""
    return {name: data for name, data in files.items() if name != ".lock"}


def make_secret(*hosts, value=PASSPHRASE):
    """A secret of the usage vtpm with the same value on all hosts; its UUID."""
    name = str(uuid.uuid4())
    for host in hosts:
        host.secret(name, value)
    return name


def refused(host, command, reasons):
    """A command of virsh must fail, with one of the reasons in its message; the message."""
    status, output = host.try_virsh(*command)
    expect(status, f"virsh {' '.join(command)} succeeded")
    expect(any(reason in output for reason in reasons), f"virsh {' '.join(command)} failed for an unexpected reason:\n{output}")
    return output
