"""A TPM full of things that are known here, and the search for them."""

import os
import secrets

PERSISTENT, INDEX, COUNTER, PCR = 0x81000001, 0x01500000, 0x01500001, 10
WINDOW = 16


def word(name, size):
    """Text that is nowhere else, of `size` bytes."""
    return (name + "-" + secrets.token_hex(size)).encode()[:size]


class Known:
    """What must not be found, by its name."""

    def __init__(self):
        self.things = {}
        # Pieces of the TPM's whole state, with all its seeds and proofs.
        self.windows = {}

    def add(self, name, data):
        """Remember one, and return it."""
        self.things[name] = data
        return data

    def add_state(self, name, data):
        """Remember every piece of a state that could not come about by chance."""
        for at in range(len(data) - WINDOW + 1):
            piece = data[at : at + WINDOW]
            if len(set(piece)) >= 13:
                self.windows[piece] = f"{name}, byte {at}"

    def found(self, data):
        """Names of what is in these bytes."""
        names = [name for name, thing in self.things.items() if thing in data]
        # Zeros take up most of a journal.
        for part in data.split(bytes(64)):
            for at in range(len(part) - WINDOW + 1):
                if (name := self.windows.get(part[at : at + WINDOW])) is not None:
                    names.append(name)
                    break
        return names


def fill(tpm, known):
    """Put known things everywhere: into NV, objects, authorization values, sequences, PCRs."""
    owner = known.add("the owner's authorization", word("OWNER", 24))
    tpm.change_owner(owner)
    nv_auth = known.add("an NV Index's authorization", word("NVAUTH", 24))
    content = known.add("the content of an NV Index", word("NVDATA", 48))
    tpm.define(INDEX, len(content), nv_auth, owner)
    tpm.nv_write(INDEX, content, nv_auth)
    sealed = known.add("a sealed secret", word("SEALED", 64))
    seal_auth = known.add("the authorization of a sealed secret", word("SEALAUTH", 24))
    parent = tpm.create_primary(owner)
    loaded = tpm.seal(parent, sealed, seal_auth)
    tpm.persist(loaded, PERSISTENT, owner)
    tpm.flush(loaded)
    tpm.flush(parent)
    # SHA-256 keeps up to 63 bytes as they are until its block is full.
    message = known.add("the message of a hash sequence", word("MESSAGE", 48))
    tpm.hash_sequence(message, known.add("a sequence's authorization", word("SEQUENCE", 24)))
    tpm.extend(PCR, os.urandom(32))
    known.add("a PCR", tpm.pcr(PCR))


def still_there(tpm, known):
    """Whether the TPM has what was put into it, so that a search for nothing would be noticed."""
    thing = known.things.__getitem__
    content, sealed = thing("the content of an NV Index"), thing("a sealed secret")
    return (
        tpm.nv_read(INDEX, len(content), thing("an NV Index's authorization")) == content
        and tpm.unseal(PERSISTENT, thing("the authorization of a sealed secret")) == sealed
    )


def files(folder):
    """All files in a folder as (path, content); of others than files the name alone."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            content = b""
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    content = file.read()
            yield path, content


def memory(pid):
    """The readable memory of a process, region by region, as (what it is, content)."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            fields = line.split(maxsplit=5)
            start, end = (int(part, 16) for part in fields[0].split("-"))
            name = fields[5].strip() if len(fields) > 5 else "anonymous"
            if not fields[1].startswith("r") or name in ("[vvar]", "[vsyscall]", "[vvar_vclock]"):
                continue
            mem.seek(start)
            content = b""
            while len(content) < end - start:
                more = mem.read(end - start - len(content))
                if not more:
                    break
                content += more
            yield name, content


def shapes(name, secret):
    """A secret as it may lie in memory: as it is, as hexadecimal digits, and as HMAC pads it."""
    padded = secret.ljust(32, b"\0")
    yield name, secret
    yield f"{name} in hexadecimal", secret.hex().encode()
    yield f"{name} under HMAC's inner pad", bytes(byte ^ 0x36 for byte in padded)
    yield f"{name} under HMAC's outer pad", bytes(byte ^ 0x5C for byte in padded)
