"""In swtpm's place: a TPM that Debian's swtpm has made, and a disk that only it opens, under vtpmd and back again.

These compare two programs, so they always run vtpmd and swtpm, whatever --tpm-cmd says.
"""

import os
import secrets

from bench import Bench
from harness.daemon import vtpmd
from harness.process import run
from harness.report import expect

SWTPM = "swtpm socket --tpm2 --tpmstate dir={state} {channel} --log file={log},level=1"
VTPMD = "{vtpmd} socket --tpm2 --tpmstate dir={state} {channel} --log file={log},level=1"
NAMED = "{swtpm} socket --tpm2 --tpmstate dir={state} {channel} --log file={log},level=1"
PASSPHRASE = " --key pwdfile={key},mode=aes-256-cbc"


def made_by_swtpm(daemon, place, encrypted):
    """Have Debian's swtpm_setup make the TPM, with an endorsement key and certificates, as libvirt does."""
    authority = os.path.join(place.dir, "authority")
    os.mkdir(authority)

    def write(name, text):
        path = os.path.join(place.dir, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    options = write("localca.options", "--platform-manufacturer Test --platform-version 1 --platform-model QEMU\n")
    localca = write("localca.conf", f"statedir = {authority}\nsigningkey = {authority}/key.pem\n"
                    f"issuercert = {authority}/cert.pem\ncertserial = {authority}/serial\n")
    config = write("setup.conf", "create_certs_tool = /usr/bin/swtpm_localca\n"
                   f"create_certs_tool_config = {localca}\ncreate_certs_tool_options = {options}\n"
                   "active_pcr_banks = sha1,sha256\n")
    run("/usr/bin/swtpm_setup", "--tpm2", "--tpm-state", daemon.state, "--config", config, "--createek",
        "--create-ek-cert", "--create-platform-cert", "--lock-nvram", "--not-overwrite",
        *(["--pwdfile", daemon.key, "--cipher", "aes-256-cbc"] if encrypted else []))


def files(folder):
    """Names and contents of a folder's files."""
    found = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def stage(bench, who, secret, wanted):
    """One boot: the disk opens by the TPM, the owner's things are there; the facts for the next stage."""
    bench.power_on()
    bench.script("luks-unlock.sh")
    facts = bench.script("owner-facts.sh").splitlines()
    expect(f"nv {secret}" in facts and f"sealed {secret}" in facts, f"{who}: the secret is not the one that was stored")
    changed = [f"{a!r} was {b!r}" for a, b in zip(facts, wanted) if a != b]
    expect(facts == wanted and not changed, f"{who} says something else than swtpm: {', '.join(changed) or facts}")
    # The next stage must count on from here.
    bench.shell("tpm2_nvincrement -Q -C o 0x1500041")
    bench.power_off()
    return [count_on(fact) for fact in wanted]


def count_on(fact):
    """The fact after one more increment of the counter."""
    word, _, number = fact.partition(" ")
    return f"counter {int(number) + 1}" if word == "counter" else fact


def takeover(way, encrypted, model="crb", firmware="seabios", cycles=True):
    """swtpm makes the TPM and a guest binds a LUKS volume to it; vtpmd takes it over; swtpm goes on. All three see the
    same TPM, and see it again after a power cycle of their own. The ways:

    start    vtpmd starts on swtpm's folder and keeps its own state there; `vtpmd convert` gives it back
    convert  `vtpmd convert` takes it over into another folder with another passphrase, and gives it back
    name     vtpmd under the name swtpm keeps swtpm's format; swtpm starts on the same folder again
    """

    def scenario(options, place):
        key = PASSPHRASE if encrypted else ""
        bench = Bench(options, place, model, firmware, disks=(place.file("data.img", 48 << 20),))
        first = bench.daemon = bench.add_daemon("first", SWTPM + key)
        made_by_swtpm(first, place, encrypted)
        secret = secrets.token_hex(16)
        bench.power_on()
        bench.script("luks-enroll.sh")
        bench.script("luks-unlock.sh")
        bench.script("owner-fill.sh", SECRET=secret)
        facts = bench.script("owner-facts.sh").splitlines()
        expect(f"nv {secret}" in facts, "swtpm does not hold the secret")
        bench.power_off()
        if cycles:
            facts = stage(bench, "swtpm after a power cycle", secret, facts)

        left = files(first.state)
        ours = bench.daemon = bench.add_daemon("ours", (NAMED if way == "name" else VTPMD) + key)
        if way == "convert":
            run(vtpmd(), "convert", "--from", f"swtpm:{first.state}", *keys(encrypted, first.key, ours.key),
                "--to", f"vtpmd:{ours.state}")
        else:
            ours.state, ours.key = first.state, first.key
        facts = stage(bench, "vtpmd", secret, facts)
        now = files(first.state)
        if way == "name":
            expect(set(now) - {".lock"} == set(left) - {".lock"}, f"as swtpm, vtpmd has left {sorted(now)}")
        else:
            expect(all(now[name] == left[name] for name in left if name != ".lock"), "vtpmd has changed swtpm's own files")
            expect(way == "convert" or "tpm.state" in now, "vtpmd keeps no state of its own")
        if encrypted:
            for name, data in {**now, **files(ours.state)}.items():
                expect(secret.encode() not in data, f"the secret is readable in {name}")
        if cycles:
            facts = stage(bench, "vtpmd after a power cycle", secret, facts)

        back = bench.daemon = bench.add_daemon("back", SWTPM + key)
        if way == "name":
            back.state, back.key = first.state, first.key
        else:
            run(vtpmd(), "convert", "--from", f"vtpmd:{ours.state}", *keys(encrypted, ours.key, back.key),
                "--to", f"swtpm:{back.state}")
        facts = stage(bench, "swtpm with the state of vtpmd", secret, facts)
        if cycles:
            stage(bench, "swtpm after another power cycle", secret, facts)

    return scenario


def keys(encrypted, old, new):
    """Options of `vtpmd convert` for the passphrases of both sides."""
    return ["--key", f"pwdfile={old},mode=aes-256-cbc", "--new-key", f"pwdfile={new},mode=aes-256-cbc"] if encrypted else []


SCENARIOS = {
    "takeover-plain": takeover("start", encrypted=False, cycles=False),
    "takeover-plain-convert": takeover("convert", encrypted=False, model="tis"),
    "takeover-plain-name": takeover("name", encrypted=False),
    "takeover-encrypted": takeover("start", encrypted=True, model="tis"),
    "takeover-encrypted-convert-ovmf": takeover("convert", encrypted=True, firmware="ovmf"),
    "takeover-encrypted-name": takeover("name", encrypted=True, model="tis"),
}
