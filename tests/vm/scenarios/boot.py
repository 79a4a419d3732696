"""Boots: what the firmware measured must be in the PCRs, and secrets sealed to it must open again."""

from bench import Bench


def boot(model, firmware):
    """Boot; the firmware's event log replays to the TPM's PCRs in all banks, after a reset too; orderly power-off."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware)
        bench.power_on()
        bench.script("pcrs.sh")
        bench.script("eventlog-replay.sh")
        if firmware == "seabios":
            bench.reset()
            bench.script("eventlog-replay.sh")
        bench.power_off()

    return scenario


def seal(model, firmware, reset=True):
    """A sealed secret survives reset, power-off and power cut; a changed PCR 7 does not release it."""

    def scenario(options, place):
        bench = Bench(options, place, model, firmware)
        bench.power_on()
        bench.script("seal-pcr.sh")
        if reset:
            bench.reset()
            bench.script("unseal-pcr.sh")
        bench.power_off()
        bench.power_on()
        bench.script("unseal-pcr.sh")
        bench.cut_power()
        bench.power_on()
        bench.script("unseal-pcr.sh")
        bench.power_off()

    return scenario


SCENARIOS = {
    f"boot-{model}-{firmware}": boot(model, firmware)
    for firmware in ("seabios", "ovmf", "ovmf-secboot")
    for model in ("tis", "crb")
}
SCENARIOS["seal-tis-seabios"] = seal("tis", "seabios")
SCENARIOS["seal-crb-ovmf"] = seal("crb", "ovmf")
# On a busy host QEMU 7.2 emulates the firmware with SMM so slowly after a reset that it looks dead, with any TPM.
SCENARIOS["seal-crb-ovmf-secboot"] = seal("crb", "ovmf-secboot", reset=False)
