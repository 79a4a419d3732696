"""The control channel as QEMU uses it: the commands in order, with the answers of Debian's swtpm and of vtpmd."""

import os

from bench import Bench
from harness.control import ControlLog
from harness.report import expect

from .move import restore, save
from .takeover import SWTPM, VTPMD

# QEMU 7.2. First it looks what it has, then the device asks for the buffer and starts the TPM; 3968 is what fits into
# a CRB, TIS takes 4096.
OPEN = ["SET_DATAFD with a descriptor", "GET_CAPABILITY"]
ASK = ["STOP", "SET_BUFFERSIZE 0"]
SAVE = ["GET_STATEBLOB permanent 1", "GET_STATEBLOB volatile 1", "GET_STATEBLOB savestate 1"]
LOAD = ["STOP", "SET_STATEBLOB permanent 0", "SET_STATEBLOB volatile 0", "INIT 1"]


def size(model):
    """What QEMU does to have a buffer."""
    return ["STOP", f"SET_BUFFERSIZE {4096 if model == 'tis' else 3968}"]


class Watched(Bench):
    """A bench whose machines talk to the daemon through a proxy."""

    def watch(self, name="tpm", template=None):
        """Start a daemon of its own behind a proxy."""
        self.daemon = daemon = self.add_daemon(name, template)
        daemon.start_for_qemu()
        self.log = ControlLog(os.path.join(self.place.sockets, name + ".front"), daemon.ctrl)
        daemon.ctrl = os.path.join(self.place.sockets, name + ".front")

    def quit(self):
        """End QEMU; the daemon must end with it."""
        super().quit()
        self.log.close()


def life(bench, template, model):
    """Boot, reset, sleep, save to a file, restore: each step with what QEMU said in it, and the exchanges."""
    steps = []

    def step(name, first, again=()):
        said, exchanges = bench.log.names(), bench.log.take()
        rest = said[len(first):]
        times = len(rest) // len(again) if again else 0
        expect(said == first + list(again) * times, f"{name}: QEMU said\n  {said}\ninstead of\n  {first}, {again}...")
        # Each exchange once, in the order of their first time.
        steps.append((name, list(dict.fromkeys(map(str, exchanges)))))

    bench.watch("source", template)
    bench.machine = bench.add_machine(bench.daemon, "source")
    bench.machine.wait_boot(bench.timeout)
    start = ASK + size(model) + ["INIT 0"]
    step("boot", OPEN + start, start)
    bench.reset()
    # SeaBIOS and the machine reset each other, one to three times in all.
    step("reset", start, start)
    bench.machine.suspend(bench.timeout)
    step("sleep and wake up", start, start)
    saved = save(bench)
    step("save", SAVE)
    bench.quit()
    step("end", ["SHUTDOWN"])
    bench.watch("target", template)
    bench.machine = bench.add_machine(bench.daemon, "target", incoming="defer")
    step("wait for a guest", OPEN + ASK + size(model))
    restore(bench, saved)
    bench.agent().ping()
    step("restore", LOAD)
    bench.quit()
    step("end again", ["SHUTDOWN"])
    return steps


def same_as_swtpm(model):
    """QEMU says the same to both, in the documented order, and hears the same results."""

    def scenario(options, place):
        runs = []
        for name, template in (("swtpm", SWTPM), ("vtpmd", VTPMD)):
            inner = type(place)(os.path.join(place.dir, name))
            try:
                runs.append(life(Watched(options, inner, model, memory=256), template, model))
            finally:
                inner.close(keep=True)
        for (step, theirs), (_, ours) in zip(*runs):
            expect(theirs == ours, f"{step}: swtpm answers\n  {theirs}\nvtpmd\n  {ours}")

    return scenario


SCENARIOS = {f"control-{model}": same_as_swtpm(model) for model in ("tis", "crb")}
