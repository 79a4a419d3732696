#!/usr/bin/env python3
"""Real client programs on a TPM daemon.

    run.py [--list] [--tpm-cmd TEMPLATE] [--markdown FILE] [--json FILE] [NAME...]

Each case is one script in tpm2-tools/, ibm-tss/ or pytss/; it gets a fresh TPM and an empty folder, and succeeds by
ending with status 0. NAME is a part of "client/case". Without --tpm-cmd it tests the vtpmd of this tree.
"""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from harness import runner
from harness.daemon import VTPMD, Daemon, Workplace
from harness.process import SetupError, tail
from harness.report import CaseFailed

PYTSS = "tpm2-pytss==3.0.0"


def python_with_pytss():
    """A Python with tpm2-pytss, in a virtual environment that is made once."""
    folder = os.path.join(runner.target(), "pytss")
    python = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, "installed")
    if not os.path.exists(stamp):
        print(f"  installing {PYTSS} in {os.path.relpath(folder)}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        for argv in ([sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "-q", PYTSS]):
            done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            if done.returncode:
                raise SetupError(f"{' '.join(argv)} failed:\n{done.stdout.decode('utf-8', 'replace')}")
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(PYTSS + "\n")
    return python


def unix_daemon(daemon):
    """For tpm2-tss: its swtpm TCTI takes the data socket and adds .ctrl."""
    daemon.start_for_clients()
    tcti = f"swtpm:path={daemon.data}"
    return {"TPM2TOOLS_TCTI": tcti, "TPM2_PYTSS_TCTI": tcti}


def tcp_daemon(daemon):
    """For the IBM TSS: raw commands over TCP."""
    daemon.start_for_tcp_clients()
    return {
        "TPM_INTERFACE_TYPE": "socsim",
        "TPM_SERVER_TYPE": "raw",
        "TPM_SERVER_NAME": "127.0.0.1",
        "TPM_COMMAND_PORT": str(daemon.port),
        "TPM_ENCRYPT_SESSIONS": "0",  # session files are read by the next utility, which has another key
    }


CLIENTS = {
    "tpm2-tools": (unix_daemon, ".sh", lambda: "bash"),
    "ibm-tss": (tcp_daemon, ".sh", lambda: "bash"),
    "pytss": (unix_daemon, ".py", python_with_pytss),
}


def cases():
    """All cases as (client, file name)."""
    for client, (_, suffix, _) in CLIENTS.items():
        for name in sorted(os.listdir(os.path.join(HERE, client))):
            if name.endswith(suffix) and not name.startswith("_"):
                yield client, name


def run_case(options, client, name, place):
    """One case; raises CaseFailed with what it printed."""
    start, _, interpreter = CLIENTS[client]
    folder = os.path.join(place.dir, "files")
    os.makedirs(folder)
    daemon = Daemon(options.tpm_cmd, place.dir, place.sockets)
    try:
        # The trace of the shell shows which step a failure is of.
        argv = [interpreter()] + (["-eux", "-o", "pipefail"] if name.endswith(".sh") else [])
        environment = dict(os.environ, CASES=os.path.join(HERE, client), TPM_DATA_DIR=folder, **start(daemon))
        with open(os.path.join(place.dir, "output"), "wb") as output:
            try:
                status = subprocess.run(
                    argv + [os.path.join(HERE, client, name)], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=subprocess.STDOUT, timeout=options.timeout, check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                status = f"none within {options.timeout:g} s"
        died = not daemon.alive()
    finally:
        daemon.stop()
    if status or died:
        text = f"exit status {status}" + (", and the TPM daemon has ended" if died else "")
        text += f"\n{tail(output.name, 25)}\n--- TPM daemon\n{tail(daemon.log + '.out', 5)}\n{tail(daemon.log, 8)}"
        raise CaseFailed(text + f"\nfiles are kept in {place.dir}")


def in_place(options, label, client, name):
    """One case in a work place of its own."""
    place = Workplace(os.path.join(options.dir, label.replace("/", "-")))
    passed = False
    try:
        run_case(options, client, name, place)
        passed = True
    finally:
        place.close(keep=not passed)


def main():
    """Run the chosen cases."""
    parser = runner.parser(__doc__)
    parser.add_argument("--tpm-cmd", default=VTPMD, metavar="TEMPLATE", help="another TPM daemon, for comparison")
    parser.add_argument("--dir", default=os.path.join(runner.target(), "clients"), help="work folder")
    parser.add_argument("--timeout", type=float, default=120, help="seconds for each case")
    options = parser.parse_args()
    every = {f"{client}/{os.path.splitext(name)[0]}": (client, name) for client, name in cases()}
    chosen = runner.choose(options, every)
    about = {"TPM": f"`{options.tpm_cmd}`"}
    runner.run(options, [(label, "", lambda label=label: in_place(options, label, *every[label])) for label in chosen], about=about)


main()
