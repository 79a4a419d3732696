"""TPM 2.0 commands as bytes, by password alone: what a test sends when it must know each byte itself."""

import hashlib
import socket
import struct

from .process import unix_connect
from .report import CaseFailed

OWNER, NULL, PASSWORD = 0x40000001, 0x40000007, 0x40000009
SHA256, AES, CFB, KEYEDHASH, ECC, NIST_P256, ALG_NULL = 0x000B, 0x0006, 0x0043, 0x0008, 0x0023, 0x0003, 0x0010
# TPMA_NV: OWNERWRITE, AUTHWRITE, OWNERREAD, AUTHREAD, NO_DA; a counter has type 1.
NV_ORDINARY = 0x0000_0002 | 0x0000_0004 | 0x0002_0000 | 0x0004_0000 | 0x0200_0000
NV_COUNTER = NV_ORDINARY | 0x10

CODES = {
    "EvictControl": 0x120, "HierarchyChangeAuth": 0x129, "NV_DefineSpace": 0x12A, "NV_UndefineSpace": 0x122,
    "CreatePrimary": 0x131, "NV_Increment": 0x134, "NV_Write": 0x137, "Startup": 0x144, "Shutdown": 0x145,
    "NV_Read": 0x14E, "Create": 0x153, "Load": 0x157, "Unseal": 0x15E, "ContextSave": 0x162, "SequenceUpdate": 0x15C,
    "FlushContext": 0x165, "GetCapability": 0x17A, "GetRandom": 0x17B, "PCR_Read": 0x17E, "PCR_Extend": 0x182,
    "HashSequenceStart": 0x186,
}  # fmt: skip


def sized(data):
    """A TPM2B."""
    return struct.pack(">H", len(data)) + data


class Refused(CaseFailed):
    """The TPM answered with a response code."""

    def __init__(self, name, code):
        super().__init__(f"TPM2_{name} was refused with {code:#x}")
        self.code = code


def command(name, handles=(), auths=(), parameters=b""):
    """One command; `auths` are the passwords of its first handles."""
    sessions = b"".join(struct.pack(">IHBH", PASSWORD, 0, 1, len(auth)) + auth for auth in auths)
    body = b"".join(struct.pack(">I", handle) for handle in handles)
    if auths:
        body += struct.pack(">I", len(sessions)) + sessions
    body += parameters
    return struct.pack(">HII", 0x8002 if auths else 0x8001, 10 + len(body), CODES[name]) + body


def template(kind, attributes, rest):
    """A TPMT_PUBLIC with an empty policy and SHA-256 names."""
    return struct.pack(">HHI", kind, SHA256, attributes) + sized(b"") + rest


STORAGE = template(
    # fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, decrypt
    ECC, 0x00030472, struct.pack(">HHHHHH", AES, 128, CFB, ALG_NULL, NIST_P256, ALG_NULL) + sized(b"") + sized(b"")
)  # fmt: skip
SEALED = template(KEYEDHASH, 0x00000452, struct.pack(">H", ALG_NULL) + sized(b""))


class Tpm:
    """A connection to a TPM on a Unix socket, and to its control channel if it has one."""

    def __init__(self, path, control=None, alive=None):
        self.socket = unix_connect(path, 20, alive)
        self.control_socket = unix_connect(control, 20, alive) if control else None
        for s in (self.socket, self.control_socket):
            if s:
                s.settimeout(60)

    @staticmethod
    def _read(stream, size):
        data = b""
        while len(data) < size:
            more = stream.recv(size - len(data))
            if not more:
                raise ConnectionError("the TPM closed its channel")
            data += more
        return data

    def send(self, data):
        """Send bytes, and wait for nothing."""
        self.socket.sendall(data)

    def raw(self, data):
        """The answer to a command."""
        self.socket.sendall(data)
        head = self._read(self.socket, 10)
        return head + self._read(self.socket, struct.unpack(">I", head[2:6])[0] - 10)

    def run(self, name, handles=(), auths=(), parameters=b"", answer_handle=False):
        """The parameters of a successful answer, or its handle and them."""
        answer = self.raw(command(name, handles, auths, parameters))
        code = struct.unpack(">I", answer[6:10])[0]
        if code:
            raise Refused(name, code)
        body, handle = answer[10:], None
        if answer_handle:
            handle, body = struct.unpack(">I", body[:4])[0], body[4:]
        if answer[:2] == b"\x80\x02":
            body = body[4 : 4 + struct.unpack(">I", body[:4])[0]]
        return (handle, body) if answer_handle else body

    def control(self, code, payload=b"", answer=0):
        """A command of the control channel; the bytes after its result, which must be 0."""
        self.control_socket.sendall(struct.pack(">I", code) + payload)
        result = struct.unpack(">I", self._read(self.control_socket, 4))[0]
        if result:
            raise CaseFailed(f"control command {code:#x} gave {result:#x}")
        return self._read(self.control_socket, answer)

    def close(self):
        """Let go of both channels."""
        for s in (self.socket, self.control_socket):
            if s:
                s.shutdown(socket.SHUT_RDWR)
                s.close()

    # Commands.

    def startup(self, state=False):
        """TPM2_Startup."""
        self.run("Startup", parameters=struct.pack(">H", int(state)))

    def define(self, index, size, auth=b"", owner=b"", attributes=NV_ORDINARY):
        """TPM2_NV_DefineSpace."""
        public = struct.pack(">IHI", index, SHA256, attributes) + sized(b"") + struct.pack(">H", size)
        self.run("NV_DefineSpace", [OWNER], [owner], sized(auth) + sized(public))

    def nv_write(self, index, data, auth=b""):
        """TPM2_NV_Write from the first byte on, by the Index's own authorization."""
        self.run("NV_Write", [index, index], [auth], sized(data) + struct.pack(">H", 0))

    def nv_read(self, index, size, auth=b""):
        """TPM2_NV_Read from the first byte on."""
        return self.run("NV_Read", [index, index], [auth], struct.pack(">HH", size, 0))[2:]

    def increment(self, index, auth=b""):
        """TPM2_NV_Increment."""
        self.run("NV_Increment", [index, index], [auth])

    def create_primary(self, owner=b"", auth=b""):
        """TPM2_CreatePrimary of a storage key on P-256; its handle."""
        sensitive = sized(sized(auth) + sized(b""))
        parameters = sensitive + sized(STORAGE) + sized(b"") + struct.pack(">I", 0)
        return self.run("CreatePrimary", [OWNER], [owner], parameters, answer_handle=True)[0]

    def seal(self, parent, data, auth=b""):
        """TPM2_Create of sealed data, and TPM2_Load; its handle."""
        sensitive = sized(sized(auth) + sized(data))
        made = self.run("Create", [parent], [b""], sensitive + sized(SEALED) + sized(b"") + struct.pack(">I", 0))
        private = 2 + struct.unpack(">H", made[:2])[0]
        public = 2 + struct.unpack(">H", made[private : private + 2])[0]
        return self.run("Load", [parent], [b""], made[: private + public], answer_handle=True)[0]

    def unseal(self, handle, auth=b""):
        """TPM2_Unseal."""
        return self.run("Unseal", [handle], [auth])[2:]

    def persist(self, handle, persistent, owner=b""):
        """TPM2_EvictControl."""
        self.run("EvictControl", [OWNER, handle], [owner], struct.pack(">I", persistent))

    def flush(self, handle):
        """TPM2_FlushContext."""
        self.run("FlushContext", parameters=struct.pack(">I", handle))

    def change_owner(self, new, old=b""):
        """TPM2_HierarchyChangeAuth of the owner."""
        self.run("HierarchyChangeAuth", [OWNER], [old], sized(new))

    def extend(self, pcr, data):
        """TPM2_PCR_Extend with the SHA-256 of some data."""
        self.run("PCR_Extend", [pcr], [b""], struct.pack(">IH", 1, SHA256) + hashlib.sha256(data).digest())

    def pcr(self, pcr):
        """What a PCR of the SHA-256 bank holds."""
        select = bytearray(3)
        select[pcr // 8] |= 1 << pcr % 8
        return self.run("PCR_Read", parameters=struct.pack(">IHB", 1, SHA256, 3) + bytes(select))[-32:]

    def hash_sequence(self, data, auth=b""):
        """TPM2_HashSequenceStart and TPM2_SequenceUpdate; the handle of the sequence."""
        start = sized(auth) + struct.pack(">H", SHA256)
        sequence = self.run("HashSequenceStart", parameters=start, answer_handle=True)[0]
        self.run("SequenceUpdate", [sequence], [auth], sized(data))
        return sequence

    def random(self, size):
        """TPM2_GetRandom."""
        return self.run("GetRandom", parameters=struct.pack(">H", size))[2:]

    # The control channel.

    def power_on(self):
        """CMD_INIT without the volatile state of before."""
        self.control(2, struct.pack(">I", 0))

    def store_volatile(self):
        """CMD_STORE_VOLATILE."""
        self.control(10)

    def state_blob(self, kind, decrypted=False):
        """CMD_GET_STATEBLOB of one kind: 1 permanent, 2 volatile."""
        flags, total, size = struct.unpack(">III", self.control(12, struct.pack(">III", int(decrypted), kind, 0), 12))
        if size != total:
            raise CaseFailed(f"a state blob of {total} bytes came in pieces")
        return flags, self._read(self.control_socket, size)

    def shutdown(self):
        """CMD_SHUTDOWN: the process ends."""
        self.control(3)
