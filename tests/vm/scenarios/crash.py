"""Power cuts in the middle of work: the state must be that of the last answered command."""

import re
import time

from bench import Bench
from harness.process import SetupError
from harness.report import expect

CUTS = 4
PREPARE = (
    "tpm2_nvdefine -Q -C o -s 1024 -a 'ownerread|ownerwrite|authread|authwrite|no_da' 0x1500020 && "
    "tpm2_nvdefine -Q -C o -a 'nt=counter|ownerread|ownerwrite|authread|authwrite|no_da' 0x1500021 && "
    "tpm2_nvincrement -Q -C o 0x1500021"
)
# Each step writes 1024 bytes that all say which step it is, then counts it, then tells the host. Nothing else may
# write to the agent's port meanwhile, so the script runs for ever.
WORK = """
n=$((0x$(tpm2_nvread -C o -s 8 0x1500021 | hexdump -v -e '1/1 "%02x"')))
echo "STEP $n" > /dev/ttyS1
while :; do
  n=$((n + 1))
  printf "%0128d" $n > /tmp/line
  cat /tmp/line /tmp/line /tmp/line /tmp/line /tmp/line /tmp/line /tmp/line /tmp/line > /tmp/step
  tpm2_nvwrite -Q -C o -i /tmp/step 0x1500020 || break
  echo "WRITTEN $n" > /dev/ttyS1
  tpm2_nvincrement -Q -C o 0x1500021 || break
  echo "STEP $n" > /dev/ttyS1
done
echo "STEP broken" > /dev/ttyS1
"""
FOUND = """
echo counter $((0x$(tpm2_nvread -C o -s 8 0x1500021 | hexdump -v -e '1/1 "%02x"')))
tpm2_nvread -C o -s 1024 0x1500020 | fold -w 128 | sort -u | sed 's/^0*/data /'
"""


def work_until(bench, steps, then):
    """Let the guest work, cut the power `then` seconds after it has reported `steps` steps; what it reported last."""
    agent, reported = bench.agent(), {}

    def note(line):
        word, _, number = line.rpartition(" ")
        if number == "broken":
            raise SetupError("the guest's work failed")
        if word in ("STEP", "WRITTEN"):
            reported[word] = int(number)

    agent.start(WORK)
    end = time.monotonic() + bench.timeout
    note(agent.line(end))
    first = reported["STEP"]
    while reported["STEP"] < first + steps:
        note(agent.line(end))
    time.sleep(then)
    bench.cut_power()
    for line in agent.rest():
        note(line)
    return reported


def nv(options, place):
    """The guest writes and counts in NV without a pause; the power is cut at several moments of a step."""
    bench = Bench(options, place)
    bench.power_on()
    bench.shell(PREPARE)
    for cut in range(CUTS):
        reported = work_until(bench, 3, 0.05 * cut)
        bench.power_on()
        output = bench.shell(FOUND)
        found = re.fullmatch(r"counter (\d+)\ndata (\d+)\n", output)
        expect(found, f"cut {cut}: counter and data cannot be read, or the data is torn:\n{output}")
        counter, data = map(int, found.groups())
        told = f"reported {reported}, found counter {counter}, data {data}"
        # One command more may have been answered than was reported.
        expect(counter in (reported["STEP"], reported["STEP"] + 1), f"cut {cut}: the counter is wrong: {told}")
        expect(data in (reported["WRITTEN"], reported["WRITTEN"] + 1), f"cut {cut}: the data is wrong: {told}")
        expect(data in (counter, counter + 1), f"cut {cut}: an answered write is missing: {told}")
    bench.power_off()


SCENARIOS = {"crash-nv": nv}
