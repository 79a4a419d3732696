"""The system calls of a program, as strace records them."""

import re

from .process import SetupError

# All ways to put bytes somewhere, and to change what a folder holds. The groups are strace's.
WRITING = (
    "%file,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,copy_file_range,splice,tee,vmsplice,"
    "mmap,ftruncate,fallocate,fsync,fdatasync,sync,syncfs,sync_file_range,msync,io_uring_setup,memfd_create"
)
EVERYTHING = "all"

# Calls that give bytes away.
WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg", "sendmmsg"}
# Calls that would move bytes past this trace.
UNSEEN = {"sendfile", "copy_file_range", "splice", "tee", "vmsplice", "io_uring_setup", "memfd_create"}

_LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$")
_START = re.compile(r"^([a-z0-9_]+)\((.*)$", re.DOTALL)
_RESUMED = re.compile(r"^<\.\.\. ([a-z0-9_]+) resumed>(.*)$", re.DOTALL)
_RESULT = re.compile(r"^(.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)$", re.DOTALL)
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')
_WHERE = re.compile(r"<((?:\\x[0-9a-f]{2})+)>")


def traced(argv, record, calls=WRITING):
    """The command line that runs `argv` under strace, which writes `record`."""
    return ["strace", "-f", "-v", "-y", "-xx", "-ttt", "-s", "4000000", "-e", f"trace={calls}", "-o", record, "--", *argv]


def _bytes(text):
    return bytes.fromhex(text.replace("\\x", ""))


def _number(text):
    """A number as C writes it: `umask` answers in octal."""
    return int(text, 8 if text.startswith("0") and text.isdigit() else 0)


class Call:
    """One call that has ended."""

    def __init__(self, thread, name, arguments, result, rest):
        self.thread, self.name, self.arguments, self.rest = thread, name, arguments, rest
        self.result = _number(result) if result != "?" else None
        found = _STRING.findall(arguments)
        if any(cut for _, cut in found):
            raise SetupError(f"strace cut the bytes of {name}")
        # Texts and buffers, in the order of the arguments.
        self.strings = [_bytes(text) for text, _ in found]
        where = _WHERE.findall(arguments)
        # What the descriptors in the arguments are: paths, or such as socket:[123].
        self.places = [_bytes(text).decode("utf-8", "replace") for text in where]

    @property
    def failed(self):
        """Whether it gave an error."""
        return self.result is None or self.result == -1

    def number(self, position):
        """A plain number among the arguments, counted from 0 or, if negative, from the end."""
        text = _STRING.sub('""', _WHERE.sub("", self.arguments))
        return int(text.split(", ")[position], 0)

    def __repr__(self):
        short = _STRING.sub(lambda m: repr(_bytes(m[1])[:40]), self.arguments)
        short = _WHERE.sub(lambda m: "<" + _bytes(m[1]).decode("utf-8", "replace") + ">", short)
        return f"{self.name}({short}) = {self.result}"


def calls(record):
    """The calls of a record, in the order in which they began; only those that ended."""
    begun, waiting, out = 0, {}, []
    with open(record, encoding="ascii", errors="replace") as file:
        for line in file:
            match = _LINE.match(line.rstrip("\n"))
            if not match:
                continue
            thread, text = int(match[1]), match[3]
            begun += 1
            order = begun
            if resumed := _RESUMED.match(text):
                if thread not in waiting:
                    continue
                order, name, start = waiting.pop(thread)
                text = f"{name}({start}{resumed[2]}"
            start = _START.match(text)
            if not start:
                continue
            if text.endswith(" <unfinished ...>"):
                waiting[thread] = order, start[1], start[2][: -len(" <unfinished ...>")]
                continue
            result = _RESULT.match(start[2])
            if result:
                out.append((order, Call(thread, start[1], result[1], result[2], result[3])))
    return [call for _, call in sorted(out, key=lambda one: one[0])]


def written(record):
    """What went where: (place, bytes) of each call that gave bytes away. Places that begin with / are files."""
    for call in calls(record):
        if call.name in UNSEEN:
            raise SetupError(f"the program moves bytes past the trace: {call}")
        if call.name == "mmap" and "MAP_SHARED" in call.arguments and "PROT_WRITE" in call.arguments:
            raise SetupError(f"the program writes files through memory: {call}")
        if call.name in WRITES and not call.failed:
            yield call.places[0] if call.places else "?", b"".join(call.strings)
