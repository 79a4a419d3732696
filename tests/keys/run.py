#!/usr/bin/env python3
"""Starts real key managers on this machine and runs the contract of crates/keys against them.

    python3 tests/keys/run.py [NAME...]      barbican keystone softhsm vtpmd swtpm libvirt kmip rotation

Needs root for libvirtd alone. Everything lives in a temporary folder and on loopback addresses.
"""
import base64, json, os, pathlib, shutil, socket, subprocess, sys, tempfile, time, urllib.request, uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        raise Failed(f"{command}: {done.stdout}")
    return done.stdout


class Setting:
    """A folder, and processes that end with it."""

    def __init__(self, folder):
        self.folder, self.processes, self.env = pathlib.Path(folder), [], dict(os.environ)

    def start(self, *command, env=None):
        log = open(self.folder / "log", "ab")
        process = subprocess.Popen([str(c) for c in command], stdout=log, stderr=log, env=env, cwd=self.folder)
        self.processes.append(process)
        return process

    def wait(self, what, ready, seconds=60):
        end = time.monotonic() + seconds
        while not ready():
            dead = [p.args[0] for p in self.processes if p.poll() is not None]
            if dead or time.monotonic() > end:
                raise Failed(f"{what} does not come up: {dead}\n{(self.folder / 'log').read_text(errors='replace')[-3000:]}")
            time.sleep(0.1)

    def wait_port(self, what, port):
        def ready():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        self.wait(what, ready)

    def address(self, name, value):
        self.env[f"SEALWRIGHT_KEYS_{name}"] = value

    def write(self, name, text):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return path

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        self.processes = []

    def contract(self, test):
        command = ["cargo", "test", "-q", "-p", "sealwright-keys", "--lib", "--", "--ignored", "--exact", f"real::{test}", "--nocapture"]
        done = subprocess.run(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode or "1 passed" not in done.stdout:
            log = self.folder / "log"
            raise Failed(done.stdout[-4000:] + (log.read_text(errors="replace")[-3000:] if log.exists() else ""))
        return done.stdout

    def stopped(self, *names):
        """After stop(): errors must say so."""
        self.env["SEALWRIGHT_KEYS_STOPPED"] = " ".join(names)
        self.contract("stopped")


def http(method, url, body=None, headers={}):
    request = urllib.request.Request(url, method=method, data=json.dumps(body).encode() if body is not None else None,
                                     headers={"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers, json.loads(answer.read() or b"null")


def start_barbican(s, pipeline, extra=""):
    port = free_port()
    paste = pathlib.Path("/etc/barbican/barbican-api-paste.ini").read_text()
    lines = [f"/v1: {pipeline}" if line.startswith("/v1:") else line for line in paste.splitlines()]
    s.write("paste.ini", "\n".join(lines))
    kek = base64.b64encode(os.urandom(32)).decode()
    conf = s.write("barbican.conf", f"""[DEFAULT]
host_href = http://127.0.0.1:{port}
sql_connection = sqlite:///{s.folder}/barbican.sqlite
api_paste_config = {s.folder}/paste.ini
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = {kek}
[keystone_notifications]
enable = false
[queue]
enable = false
[oslo_policy]
policy_dirs = /etc/barbican/policy.d
enforce_scope = false
{extra}""")
    run("barbican-db-manage", "--dburl", f"sqlite:///{s.folder}/barbican.sqlite", "upgrade", cwd=s.folder)
    # Barbican's own server reads its configuration in /etc alone.
    app = s.write("serve.py", f"""import sys
from wsgiref.simple_server import make_server
sys.argv = ["barbican"]
from barbican.common import config
config.CONF([], project="barbican", default_config_files=["{conf}"])
from paste import deploy
application = deploy.loadapp("config:{s.folder}/paste.ini")
# One request at a time: SQLite does not take two writers.
make_server("127.0.0.1", {port}, application).serve_forever()
""")
    s.start("/usr/bin/python3", app)  # Debian's, which has the packages
    s.wait_port("Barbican", port)
    return f"http://127.0.0.1:{port}"


def barbican(s):
    url = start_barbican(s, "barbican_api")
    noauth = {"X-Project-Id": "p1", "X-Roles": "creator"}
    nova = base64.b64encode(os.urandom(48)).decode()
    _, made = http("POST", f"{url}/v1/secrets", {"name": "like Nova's", "secret_type": "passphrase", "payload": nova,
                                                "payload_content_type": "text/plain"}, noauth)
    s.address("BARBICAN_PER_VM", f"barbican:{url}/v1/secrets?project-id=p1")
    s.address("BARBICAN_SHARED", f"barbican:{made['secret_ref']}?project-id=p1&kdf=sha512")
    s.contract("barbican")
    s.stop()
    s.stopped("BARBICAN_PER_VM", "BARBICAN_SHARED")


def keystone(s):
    port = free_port()
    conf = s.write("keystone.conf", f"""[database]
connection = sqlite:///{s.folder}/keystone.sqlite
[fernet_tokens]
key_repository = {s.folder}/fernet
[credential]
key_repository = {s.folder}/credential
""")
    for folder in ("fernet", "credential"):
        (s.folder / folder).mkdir(mode=0o700)
    manage = ["keystone-manage", "--config-file", conf]
    run(*manage, "db_sync", cwd=s.folder)
    me = ["--keystone-user", str(os.getuid()), "--keystone-group", str(os.getgid())]
    run(*manage, "fernet_setup", *me, cwd=s.folder)
    run(*manage, "credential_setup", *me, cwd=s.folder)
    url = f"http://127.0.0.1:{port}/v3"
    run(*manage, "bootstrap", "--bootstrap-password", "pw", "--bootstrap-public-url", url, "--bootstrap-internal-url", url,
        "--bootstrap-admin-url", url, "--bootstrap-region-id", "r", cwd=s.folder)
    env = dict(os.environ, OS_KEYSTONE_CONFIG_FILES=str(conf))
    s.start("keystone-wsgi-public", "--host", "127.0.0.1", "--port", port, env=env)
    s.wait_port("Keystone", port)
    user = {"name": "admin", "domain": {"id": "default"}}
    login = {"auth": {"identity": {"methods": ["password"], "password": {"user": {**user, "password": "pw"}}},
                      "scope": {"project": {"name": "admin", "domain": {"id": "default"}}}}}
    headers, body = http("POST", f"{url}/auth/tokens", login)
    token = {"X-Auth-Token": headers["X-Subject-Token"]}
    who = body["token"]["user"]["id"]
    _, made = http("POST", f"{url}/users/{who}/application_credentials", {"application_credential": {"name": "sealwright"}}, token)
    credential = made["application_credential"]
    secret, wrong = s.write("secret", credential["secret"]), s.write("wrong", "no")
    extra = f"""[keystone_authtoken]
www_authenticate_uri = {url}
auth_url = {url}
auth_type = password
username = admin
password = pw
project_name = admin
user_domain_id = default
project_domain_id = default
"""
    where = start_barbican(s, "barbican-api-keystone", extra)
    for name, file in (("KEYSTONE", secret), ("KEYSTONE_WRONG", wrong)):
        s.address(name, f"barbican:{where}/v1/secrets?auth-url={url}&application-credential-id={credential['id']}&secret-file={file}")
    s.contract("barbican_with_keystone")


def softhsm(s):
    module = "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"
    (s.folder / "tokens").mkdir()
    conf = s.write("softhsm2.conf", f"directories.tokendir = {s.folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    s.env["SOFTHSM2_CONF"] = str(conf)
    pin, wrong = s.write("pin", "1234\n"), s.write("wrong", "4321\n")
    run("softhsm2-util", "--init-token", "--free", "--label", "vtpm", "--pin", "1234", "--so-pin", "5678", env=s.env)
    run("pkcs11-tool", "--module", module, "--token-label", "vtpm", "--login", "--pin", "1234", "--keygen", "--key-type", "AES:32",
        "--label", "kek", "--id", "07", env=s.env)
    base = f"module-path={module}&pin-source=file:"
    s.address("PKCS11_PER_VM", f"pkcs11:token=vtpm;object=vm-{{vm}};type=secret-key?{base}{pin}")
    s.address("PKCS11_SHARED", f"pkcs11:token=vtpm;id=%07?{base}{pin}")
    s.address("PKCS11_WRONG_PIN", f"pkcs11:token=vtpm;object=kek?{base}{wrong}")
    s.address("PKCS11_NO_TOKEN", f"pkcs11:token=other;object=kek?{base}{pin}")
    s.contract("softhsm")


def tpm(s, name, binary):
    sock = s.folder / "tpm.sock"
    (s.folder / "state").mkdir()
    s.start(binary, "socket", "--tpm2", "--tpmstate", f"dir={s.folder}/state", "--server", f"type=unixio,path={sock}",
            "--ctrl", f"type=unixio,path={s.folder}/ctrl.sock", "--flags", "not-need-init,startup-clear")
    s.wait(name, sock.exists)
    pin = s.write("pin", "1234")
    s.address(f"TPM_{name}", f"tpm:{sock}?pcrs=sha256:0+7&auth-file={pin}")
    s.contract(f"tpm_is_{name.lower()}")
    s.contract(f"anchor_in_{name.lower()}")
    s.stop()
    s.stopped(f"TPM_{name}")


def vtpmd_program():
    if "VTPMD" in os.environ:
        return os.environ["VTPMD"]
    run("cargo", "build", "-q", "--release", "-p", "sealwright-daemon", cwd=ROOT)
    return TARGET / "release/vtpmd"


def vtpmd(s):
    tpm(s, "VTPMD", vtpmd_program())


def swtpm(s):
    tpm(s, "SWTPM", "swtpm")


def start_libvirt(s):
    """Starts libvirtd; gives what defines a secret, and the options of an address that reaches it."""
    # A daemon of its own: other runtime folder, other secrets, no network driver needed.
    run_dir = s.folder / "run"
    sock_dir = run_dir / "libvirt"
    sock_dir.mkdir(parents=True)
    env = dict(os.environ, XDG_RUNTIME_DIR=str(run_dir), XDG_CONFIG_HOME=str(s.folder / "config"),
               XDG_CACHE_HOME=str(s.folder / "cache"), HOME=str(s.folder))
    nobody = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.getuid() == 0 else []
    if nobody:
        run("chown", "-R", "nobody:nogroup", s.folder)
        s.folder.chmod(0o755)
    s.start(*nobody, "libvirtd", "--timeout", "300", env=env)
    sock = sock_dir / "libvirt-sock"
    s.wait("libvirtd", sock.exists)
    uri = f"qemu+unix:///session?socket={sock}"

    def virsh(*command):
        return run("virsh", "-c", f"secret+unix:///session?socket={sock}", *command, env=env)

    def define(name, private="no", value=True):
        secret = str(uuid.uuid4())
        xml = s.write(f"{name}.xml", f"<secret ephemeral='yes' private='{private}'><uuid>{secret}</uuid><usage type='vtpm'><name>{name}</name></usage></secret>")
        xml.chmod(0o644)
        virsh("secret-define", xml)
        if value:
            text = s.write(f"{name}.value", base64.b64encode(os.urandom(48)))
            text.chmod(0o644)
            virsh("secret-set-value", secret, "--file", text, "--plain")
        return secret

    return define, f"?socket={sock}&uri=secret:///session&kdf=sha512"


def libvirt(s):
    define, options = start_libvirt(s)
    s.address("LIBVIRT_UUID", f"libvirt:{define('one')}{options}")
    define("two")
    s.address("LIBVIRT_USAGE", f"libvirt:vtpm/two{options}")
    define("private", private="yes")
    s.address("LIBVIRT_PRIVATE", f"libvirt:vtpm/private{options}")
    define("empty", value=False)
    s.address("LIBVIRT_EMPTY", f"libvirt:vtpm/empty{options}")
    s.address("LIBVIRT_ABSENT", f"libvirt:vtpm/absent{options}")
    s.contract("libvirt")
    s.stop()
    s.stopped("LIBVIRT_UUID")


def rotation(s):
    """vtpmd under its filter with libvirt as its key manager: it is asked at the start and never again, while the wrapping
    key, the data key and the manager change."""
    program = vtpmd_program()
    define, options = start_libvirt(s)
    first, second = (f"libvirt:{define(name)}{options}" for name in ("one", "two"))
    file = f"file:{s.write('new.key', os.urandom(32))}"
    state, ctrl, data, manage = (s.folder / name for name in ("state", "ctrl", "data", "manage"))
    state.mkdir()
    words = [program, "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={ctrl}", "--server",
             f"type=unixio,path={data}", "--manage", f"path={manage}"]

    def talk(path, *requests):
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(30)
            channel.connect(str(path))
            for request, answer in requests:
                channel.sendall(bytes.fromhex(request))
                found = channel.recv(4096)
                if not found.hex().startswith(answer):
                    raise Failed(f"{path.name}: {request} gave {found.hex()}")

    # INIT; STOP; TPM2_Startup, TPM2_GetRandom, TPM2_SelfTest; and a change of the state that is stored:
    # TPM2_HierarchyChangeAuth of the lockout hierarchy to nothing.
    init, stop = ("0000000200000000", "00000000"), ("0000000e", "00000000")
    startup, use = ("80010000000c000001440000", "80010000000a00000000"), ("80010000000c0000017b0004", "80010000001000000000")
    store = ("80020000001d000001294000000a000000094000000900000000000000", "80020000001300000000")

    def start(manager):
        daemon = s.start(*words, "--key-manager", manager)
        status = pathlib.Path(f"/proc/{daemon.pid}/status")
        s.wait("vtpmd", lambda: "Seccomp:\t2" in status.read_text() and data.exists())
        talk(ctrl, init)
        talk(data, startup, use, store)
        return daemon

    def end(daemon):
        daemon.terminate()
        daemon.wait(10)
        s.processes.remove(daemon)

    def change(what, old, new):
        run(program, "state", what, "--manage", manage, "--key-manager", old, "--new-key-manager", new)
        talk(data, use, store)

    daemon = start(first)
    for what, old, new in (("rewrap", first, second), ("reseal", second, first), ("rewrap", first, file),
                           ("rewrap", file, second)):
        change(what, old, new)
    end(daemon)
    daemon = start(second)
    libvirtd = s.processes[0]
    libvirtd.terminate()
    libvirtd.wait(20)
    s.processes.remove(libvirtd)
    talk(data, use, store)
    talk(ctrl, stop, init)
    talk(data, startup, use, store)
    try:
        change("rewrap", second, file)
        raise Failed("a rewrap without its key manager succeeded")
    except Failed as refused:
        if "the key manager libvirt cannot be reached" not in str(refused):
            raise
    talk(data, use, store)
    end(daemon)
    refused = subprocess.run([str(word) for word in words] + ["--key-manager", second], capture_output=True, text=True)
    if refused.returncode == 0 or "the key manager libvirt cannot be reached" not in refused.stderr:
        raise Failed(f"a start without the key manager: {refused.stderr}")


def shred(s):
    """vtpmd state shred with libvirt as the key manager: the VM's secret is destroyed there, and a copy of the state is of no
    use any more."""
    program = vtpmd_program()
    define, options = start_libvirt(s)
    define("shred-web")
    define("shred-db")
    # The scheme's {vm} stands for the name.
    manager = f"libvirt:vtpm/shred-{{vm}}{options}"
    state, ctrl = s.folder / "state", s.folder / "ctrl"
    state.mkdir()
    words = [program, "socket", "--tpm2", "--tpmstate", f"dir={state}", "--ctrl", f"type=unixio,path={ctrl}", "--vm", "web",
             "--flags", "startup-clear", "--key-manager", manager]
    daemon = s.start(*words)
    s.wait("vtpmd", lambda: (state / "tpm.state").exists() and ctrl.exists())
    daemon.terminate()
    daemon.wait(10)
    s.processes.remove(daemon)
    copy = (state / "tpm.state").read_bytes()
    command = [program, "state", "shred", "--tpmstate", f"dir={state}", "--key-manager", manager]
    run(*command, "--reason", "a test", "--grace", "0", "--confirm", "web")
    refused = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if refused.returncode == 0 or "a test" not in refused.stderr:
        raise Failed(f"a start in the time of grace: {refused.stderr}")
    finish = [*command[:-1], manager.replace("libvirt-sock", "absent"), "--finish"]
    try:
        run(*finish)
        raise Failed("finished without the key manager")
    except Failed as refused:
        if "cannot be reached" not in str(refused):
            raise
    if not (state / "tpm.state").exists():
        raise Failed("the state was erased before its key was destroyed")
    told = run(*command, "--finish")
    sock = s.folder / "run/libvirt/libvirt-sock"
    left = run("virsh", "-c", f"secret+unix:///session?socket={sock}", "secret-list")
    if "destroyed: " not in told or "vtpm shred-web" in left or "vtpm shred-db" not in left or (state / "tpm.state").exists():
        raise Failed(f"{told}\n{left}")
    # Elsewhere, without the order.
    (s.folder / "state2").mkdir()
    (s.folder / "state2/tpm.state").write_bytes(copy)
    words = [str(word).replace(f"dir={state}", f"dir={state}2") for word in words]
    refused = subprocess.run(words, capture_output=True, text=True)
    if refused.returncode == 0 or "has no key" not in refused.stderr:
        raise Failed(f"a start on a copy: {refused.stderr}")


def kmip(s):
    port, certificates = free_port(), ROOT / "crates/keys/tests/certificates"
    (s.folder / "policy").mkdir()
    conf = s.write("server.conf", f"""[server]
hostname=127.0.0.1
port={port}
certificate_path={certificates}/server.pem
key_path={certificates}/server.key
ca_path={certificates}/ca.pem
auth_suite=TLS1.2
tls_cipher_suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
policy_path={s.folder}/policy
enable_tls_client_auth=True
database_path={s.folder}/kmip.db
""")
    serve = s.write("serve.py", f"""from kmip.services.server import KmipServer
with KmipServer(config_path="{conf}", log_path="{s.folder}/kmip.log") as server:
    server.serve()
""")
    s.start("/usr/bin/python3", serve)  # Debian's, which has the packages
    s.wait_port("PyKMIP", port)
    make = s.write("make.py", f"""from kmip.pie.client import ProxyKmipClient
from kmip import enums
import sys
with ProxyKmipClient(hostname="127.0.0.1", port={port}, cert="{certificates}/client.pem", key="{certificates}/client.key",
                     ca="{certificates}/ca.pem", ssl_version="PROTOCOL_TLSv1_2") as client:
    key = client.create(enums.CryptographicAlgorithm.AES, 256, name="master", cryptographic_usage_mask=[
        enums.CryptographicUsageMask.ENCRYPT, enums.CryptographicUsageMask.DECRYPT])
    client.activate(key)
""")
    run("/usr/bin/python3", make)
    tls = f"ca={certificates}/ca.pem&cert={certificates}/client.pem&key={certificates}/client.key"
    for name, key, more in (("KMIP_PER_VM", "vm-{vm}", ""), ("KMIP_SHARED", "master", ""), ("KMIP_ABSENT", "absent", ""),
                            ("KMIP_2", "vm2-{vm}", "&version=2.0")):
        s.address(name, f"kmip:localhost:{port}/name/{key}?{tls}{more}")
    s.contract("kmip")
    s.stop()
    s.stopped("KMIP_PER_VM")


ALL = {"barbican": barbican, "keystone": keystone, "softhsm": softhsm, "vtpmd": vtpmd, "swtpm": swtpm, "libvirt": libvirt,
       "kmip": kmip, "rotation": rotation, "shred": shred}


def main(names):
    unknown = [name for name in names if name not in ALL]
    if unknown:
        sys.exit(f"unknown: {' '.join(unknown)}; there are {' '.join(ALL)}")
    run("cargo", "test", "-q", "-p", "sealwright-keys", "--lib", "--no-run", cwd=ROOT)
    passed = failed = 0
    for name in names or ALL:
        start, s = time.monotonic(), Setting(tempfile.mkdtemp(prefix=f"sealwright-{name}-"))
        try:
            ALL[name](s)
            passed += 1
            print(f"{name}: passed in {time.monotonic() - start:.1f} s", flush=True)
        except (Failed, OSError) as error:
            failed += 1
            print(f"{name}: FAILED\n{error}", flush=True)
        finally:
            s.stop()
            shutil.rmtree(s.folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
