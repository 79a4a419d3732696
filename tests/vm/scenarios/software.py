"""Software at work in the guest: tpm2-tools over the resource manager, and the kernel's own tests of its TPM driver."""

import os

from bench import Bench
from harness.process import run
from harness.report import expect

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def tools(model):
    """tpm2-tools, four processes at a time."""

    def scenario(options, place):
        bench = Bench(options, place, model)
        bench.power_on()
        bench.script("work.sh")
        bench.power_off()

    return scenario


def selftests(model):
    """tools/testing/selftests/tpm2 of the kernel, from Debian's linux-source."""

    def scenario(options, place):
        run("bash", os.path.join(HERE, "build-selftests"), "--guest", options.guest)
        bench = Bench(options, place, model, initrd="initrd-selftests.img")
        bench.power_on()
        output = bench.shell(
            "cd /selftests/tpm2; for t in test_smoke.sh test_space.sh; do sh $t 2>&1 || exit 1; done; dmesg | tail -5"
        )
        expect(output.count("... ok") >= 10 and "FAILED" not in output, f"the tests did not run:\n{output.strip()}")
        bench.power_off()

    return scenario


SCENARIOS = {
    "software-tools-tis": tools("tis"),
    "software-tools-crb": tools("crb"),
    "software-selftests-tis": selftests("tis"),
    "software-selftests-crb": selftests("crb"),
}
