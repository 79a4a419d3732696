//! The programs as people run them: what they make is read back with OpenSSL and, where they are installed, with swtpm and
//! tpm2-tools.

use core::time::Duration;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

const SETUP: &str = env!("CARGO_BIN_EXE_swtpm_setup");
const LOCALCA: &str = env!("CARGO_BIN_EXE_swtpm_localca");
const CERT: &str = env!("CARGO_BIN_EXE_swtpm_cert");

/// A folder with the configuration of a CA; it goes away.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sealwright programs {name} {}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("state")).unwrap();
        let place = Self(path);
        let ca = place.path("ca");
        place.write(
            "ca.conf",
            &format!(
                "statedir={ca}\nsigningkey = {ca}/key.pem\nissuercert = {ca}/issuer.pem\ncertserial = {ca}/serial\n"
            ),
        );
        place.write(
            "ca.options",
            "--platform-manufacturer \"Fedora XYZ\"\n--platform-version 2.1\n--platform-model QEMU\n",
        );
        place.configure(LOCALCA);
        place
    }

    fn configure(&self, tool: &str) {
        let (ca, options) = (self.path("ca.conf"), self.path("ca.options"));
        self.write(
            "setup.conf",
            &format!("create_certs_tool={tool}\ncreate_certs_tool_config={ca}\ncreate_certs_tool_options={options}\n"),
        );
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    /// Runs swtpm_setup on the state with the configuration, and says what it said.
    fn setup(&self, more: &[&str]) -> (bool, String) {
        let mut command = Command::new(SETUP);
        command.args(["--tpm2", "--tpm-state", &self.path("state"), "--config", &self.path("setup.conf")]).args(more);
        said(command.output().unwrap())
    }

    /// Names of everything in the folder of the state.
    fn state_files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.0.join("state"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn said(output: Output) -> (bool, String) {
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

fn run(program: &str, arguments: &[&str]) -> (bool, String) {
    said(Command::new(program).args(arguments).output().unwrap())
}

fn openssl_text(certificate: &Path) -> String {
    let (done, text) =
        run("openssl", &["x509", "-inform", "der", "-in", certificate.to_str().unwrap(), "-noout", "-text"]);
    assert!(done, "{text}");
    text
}

const LIBVIRT: [&str; 6] =
    ["--vmid", "vm:1", "--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram"];

#[test]
fn its_memory_is_not_dumped() {
    let place = Place::new("dumps");
    // It waits for a passphrase that does not come.
    let mut child = Command::new(SETUP)
        .args([
            "--tpm2",
            "--tpm-state",
            &place.path("state"),
            "--config",
            &place.path("setup.conf"),
            "--pwdfile-fd",
            "0",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    loop {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        if core.split_whitespace().filter(|word| *word == "0").count() == 2 {
            break;
        }
        assert!(child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(20), "{core}");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_tpm_is_made_as_libvirt_asks_for_one() {
    let place = Place::new("libvirt");
    let certificates = place.path("certificates");
    std::fs::create_dir(&certificates).unwrap();
    let log = place.path("log");
    let more = [&LIBVIRT[..], &["--not-overwrite", "--logfile", &log, "--write-ek-cert-files", &certificates]].concat();
    let (done, text) = place.setup(&more);
    assert!(done && text.is_empty(), "{text}");
    let text = std::fs::read_to_string(&log).unwrap();
    for line in [
        "Starting vTPM manufacturing as ",
        "Successfully created RSA 2048 EK with handle 0x81010001.",
        "Successfully created NVRAM area 0x1c00002 for RSA 2048 EK certificate.",
        "Successfully created NVRAM area 0x1c08000 for platform certificate.",
        "Successfully created secp384r1 EK with handle 0x81010016.",
        "Successfully created NVRAM area 0x1c00016 for secp384r1 EK certificate.",
        "Successfully activated PCR banks sha256 among sha1,sha256,sha384,sha512.",
        "Successfully authored TPM state.",
        "Ending vTPM manufacturing @ ",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert_eq!(place.state_files(), [".lock", "tpm2-00.permall"]);
    assert_eq!(std::fs::metadata(place.0.join("state/tpm2-00.permall")).unwrap().mode() & 0o777, 0o640);
    let ek = place.0.join("certificates/ek-rsa2048.crt");
    let text = openssl_text(&ek);
    for part in ["CN = vm:1", "2048 bit", "Key Encipherment", "CA:FALSE", "9999", "Issuer: CN = swtpm-localca"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let (root, issuer) = (place.path("ca/swtpm-localca-rootca-cert.pem"), place.path("ca/issuer.pem"));
    for name in ["ek-rsa2048.crt", "ek-secp384r1.crt"] {
        let file = place.path(&format!("certificates/{name}"));
        let (done, text) = run("openssl", &["verify", "-CAfile", &root, "-untrusted", &issuer, &file]);
        assert!(done, "{text}");
    }

    // Again: all is well, and nothing changes.
    let before = std::fs::read(place.0.join("state/tpm2-00.permall")).unwrap();
    assert!(place.setup(&more).0);
    assert_eq!(std::fs::read(place.0.join("state/tpm2-00.permall")).unwrap(), before);
    let (done, text) = place.setup(&LIBVIRT);
    assert!(!done && text.contains("Found existing TPM state"), "{text}");
    assert!(place.setup(&["--overwrite"]).0);
    assert_ne!(std::fs::read(place.0.join("state/tpm2-00.permall")).unwrap(), before);
}

#[test]
fn nothing_is_left_behind_by_a_failure() {
    let place = Place::new("failure");
    for (tool, part) in [("/bin/false", "false ended with"), ("/proc/nonexistent/tool", "Could not find")] {
        place.configure(tool);
        let (done, text) = place.setup(&LIBVIRT);
        assert!(!done && text.contains(part) && text.contains("Authoring the TPM state failed"), "{text}");
        assert_eq!(place.state_files(), [".lock"]);
    }
    // What is there stays when a new one cannot be made.
    std::fs::write(place.0.join("state/tpm2-00.permall"), "old").unwrap();
    assert!(!place.setup(&[&LIBVIRT[..], &["--overwrite"]].concat()).0);
    assert_eq!(std::fs::read(place.0.join("state/tpm2-00.permall")).unwrap(), b"old");
}

#[test]
fn a_linear_file_is_used_as_a_folder_is() {
    let place = Place::new("linear");
    let file = place.path("linear.state");
    let at = format!("file://{file}");
    let config = place.path("setup.conf");
    let call = |more: &[&str]| run(SETUP, &[&["--tpm2", "--tpm-state", &at, "--config", &config], more].concat());
    place.configure("/bin/false");
    assert!(!call(&LIBVIRT).0);
    assert!(!Path::new(&file).exists());
    place.configure(LOCALCA);
    assert!(call(&[&LIBVIRT[..], &["--not-overwrite"]].concat()).0);
    let made = std::fs::read(&file).unwrap();
    assert_eq!(made[..8], *b"nilmptws");
    assert!(call(&[&LIBVIRT[..], &["--not-overwrite"]].concat()).0);
    assert_eq!(std::fs::read(&file).unwrap(), made);
    let (done, text) = call(&LIBVIRT);
    assert!(!done && text.contains("Found existing TPM state"), "{text}");
    assert!(call(&["--reconfigure", "--pcr-banks", "sha1,sha256"]).0);
    std::fs::write(&file, "something else altogether").unwrap();
    let (done, text) = call(&[]);
    assert!(!done && text.contains("Found existing TPM state"), "{text}");
    assert!(call(&["--overwrite"]).0);
    assert_eq!(std::fs::read(&file).unwrap()[..8], *b"nilmptws");
}

#[test]
fn a_state_of_vtpmds_own_stays() {
    let place = Place::new("own");
    std::fs::write(place.0.join("state/tpm.state"), "own").unwrap();
    assert!(place.setup(&["--not-overwrite"]).0);
    for words in [&["--overwrite"][..], &["--reconfigure", "--pcr-banks", "sha1"]] {
        let (done, text) = place.setup(words);
        assert!(!done && text.contains("vtpmd convert"), "{text}");
    }
    assert_eq!(place.state_files(), ["tpm.state"]);
}

#[test]
fn a_killed_run_leaves_the_old_or_the_new() {
    let place = Place::new("killed");
    assert!(place.setup(&[]).0);
    let file = place.0.join("state/tpm2-00.permall");
    let mut last = std::fs::read(&file).unwrap();
    let mut changed = 0;
    for delay in 0..12 {
        let mut child = Command::new(SETUP)
            .args(["--tpm2", "--overwrite", "--tpm-state", &place.path("state"), "--config", &place.path("setup.conf")])
            .args(LIBVIRT)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay * 40));
        let _ = child.kill();
        child.wait().unwrap();
        let now = std::fs::read(&file).unwrap();
        changed += usize::from(now != last);
        // The whole file of one or the other TPM: it can be reconfigured.
        assert!(place.setup(&["--reconfigure", "--pcr-banks", "sha1,sha256"]).0);
        last = std::fs::read(&file).unwrap();
    }
    eprintln!("{changed} of 12 runs came to their end");
}

#[test]
fn an_encrypted_state_opens_with_its_key_alone() {
    let place = Place::new("encrypted");
    place.write("password", "correct horse");
    let (password, other) = (place.path("password"), place.path("other"));
    place.write("other", "wrong");
    let with = |password: &str| {
        vec!["--pwdfile".to_owned(), password.to_owned(), "--cipher".to_owned(), "aes-256-cbc".to_owned()]
    };
    let call = |password: &str, more: &[&str]| {
        let words = with(password);
        let words: Vec<&str> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
        place.setup(&words)
    };
    let (done, text) = call(&password, &[]);
    assert!(done && text.contains("will be encrypted using a key derived from a passphrase"), "{text}");
    let size = std::fs::metadata(place.0.join("state/tpm2-00.permall")).unwrap().len();
    assert!(!call(&other, &["--reconfigure", "--pcr-banks", "sha1"]).0);
    assert!(!place.setup(&["--reconfigure", "--pcr-banks", "sha1"]).0);
    let (done, text) = call(&password, &["--reconfigure", "--pcr-banks", "sha1,sha384"]);
    assert!(done && text.contains("Starting vTPM reconfiguration"), "{text}");
    assert_eq!(std::fs::metadata(place.0.join("state/tpm2-00.permall")).unwrap().len(), size);
}

#[test]
fn wrong_options_change_nothing() {
    let place = Place::new("wrong");
    for (words, part) in [
        (&["--rsa-keysize", "2222"][..], "Unsupported RSA key size"),
        (&["--cipher", "aes-192-cbc"], "Unsupported cipher"),
        (&["--take-ownership"], "not supported for TPM 2"),
        (&["--create-ek-cert", "--reconfigure"], "Reconfiguration is not supported"),
        (&["--reconfigure"], "no TPM state"),
        (&["--iakkeyalgo", "rsa2048"], "EK certificate must be created"),
        (&["--ek1keyalgo", "rsa1024"], "not supported"),
        (&["--profile-name", "test3"], "does not support a profile"),
        (&["--profile", "{}", "--profile-name", "null"], "Only one of"),
        (&["--tpm", "/proc/nonexistent/swtpm socket"], "is not an executable"),
        (&["--keyfile", "/proc/nonexistent"], "cannot read keyfile"),
        (&["--nothing"], "unknown option"),
    ] {
        let (done, text) = place.setup(words);
        assert!(!done && text.contains(part), "{words:?}: {text}");
        assert!(place.state_files().is_empty(), "{words:?}");
    }
    let (done, text) = run(SETUP, &["--tpm-state", &place.path("state")]);
    assert!(!done && text.contains("A TPM 1.2 cannot be made"), "{text}");
    let (done, text) = run(SETUP, &["--tpm2"]);
    assert!(!done && text.contains("--tpm-state must be provided"), "{text}");
}

#[test]
fn one_executable_is_all_three_by_name_and_then_needs_no_other_process() {
    let place = Place::new("names");
    let bin = place.0.join("bin");
    std::fs::create_dir(&bin).unwrap();
    for name in ["swtpm_setup", "swtpm_localca", "swtpm_cert"] {
        std::fs::hard_link(SETUP, bin.join(name))
            .or_else(|_| std::os::unix::fs::symlink(SETUP, bin.join(name)))
            .unwrap();
    }
    let (done, text) = run(bin.join("swtpm_cert").to_str().unwrap(), &["--print-capabilities"]);
    assert!(done && text.contains("\"type\": \"swtpm_cert\""), "{text}");
    let (done, text) = run(bin.join("swtpm_localca").to_str().unwrap(), &["--help"]);
    assert!(done && text.contains("Usage: swtpm_localca"), "{text}");
    place.configure("swtpm_localca");
    let mut command = Command::new(bin.join("swtpm_setup"));
    command.args(["--tpm2", "--tpm-state", &place.path("state"), "--config", &place.path("setup.conf")]).args(LIBVIRT);
    let (done, text) = said(command.env("PATH", &bin).output().unwrap());
    assert!(
        done && !text.contains("Invoking") && text.contains("Successfully created EK certificate locally."),
        "{text}"
    );
}

#[test]
fn configuration_files_are_made_once() {
    let place = Place::new("config");
    let create = |how: &str| {
        let option = format!("--create-config-files={how}");
        said(Command::new(SETUP).arg(option).env("XDG_CONFIG_HOME", &place.0).output().unwrap())
    };
    let (done, text) = create("root");
    assert!(done, "{text}");
    for name in ["swtpm_setup.conf", "swtpm-localca.conf", "swtpm-localca.options", "var/lib/swtpm-localca"] {
        assert!(place.0.join(name).exists(), "{name}");
    }
    assert!(create("root,skip-if-exist").0);
    let (done, text) = create("root");
    assert!(!done && text.contains("already exists"), "{text}");
    assert!(create("root,overwrite").0);
    assert!(!create("root,overwrite,skip-if-exist").0);
}

/// A program of the host, if it is there.
fn installed(name: &str) -> bool {
    Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A daemon that is ended with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn swtpm_and_tpm2_tools_read_what_was_made() {
    if !installed("swtpm") || !installed("tpm2_nvread") {
        eprintln!("swtpm or tpm2-tools are not installed: nothing is read with them");
        return;
    }
    let place = Place::new("tools");
    let certificates = place.path("certificates");
    std::fs::create_dir(&certificates).unwrap();
    let more = ["--iakkeyalgo", "ecc_nist_p384", "--idevidkeyalgo", "rsa2048", "--write-ek-cert-files", &certificates];
    let (done, text) = place.setup(&[&LIBVIRT[..], &more, &["--pcr-banks", "sha1,sha256"]].concat());
    assert!(done, "{text}");
    let port = 20_000 + u16::try_from(std::process::id() % 20_000).unwrap() * 2;
    let child = Command::new("swtpm")
        .args(["socket", "--tpm2", "--tpmstate", &format!("dir={}", place.path("state"))])
        .args(["--server", &format!("type=tcp,port={port}"), "--ctrl", &format!("type=tcp,port={}", port + 1)])
        .args(["--flags", "not-need-init,startup-clear"])
        .spawn()
        .unwrap();
    let _daemon = Daemon(child);
    let tcti = format!("swtpm:host=127.0.0.1,port={port}");
    let tool =
        |name: &str, arguments: &[&str]| said(Command::new(name).args(["-T", &tcti]).args(arguments).output().unwrap());
    let start = Instant::now();
    while !tool("tpm2_getcap", &["properties-fixed"]).0 {
        assert!(start.elapsed() < Duration::from_secs(20), "swtpm does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    for (index, file) in [
        ("0x1c00002", "ek-rsa2048.crt"),
        ("0x1c00016", "ek-secp384r1.crt"),
        ("0x1c90100", "iak-secp384r1.crt"),
        ("0x1c90200", "idevid-rsa2048.crt"),
    ] {
        let read = place.path("read");
        let (done, text) = tool("tpm2_nvread", &[index, "-o", &read]);
        assert!(done, "{text}");
        let copy = std::fs::read(place.0.join("certificates").join(file)).unwrap();
        assert_eq!(std::fs::read(&read).unwrap(), copy, "{index}");
    }
    let (_, handles) = tool("tpm2_getcap", &["handles-persistent"]);
    for handle in ["0x81010001", "0x81010016", "0x81020000", "0x81020001"] {
        assert!(handles.contains(handle), "{handle} is missing in {handles}");
    }
    let (_, banks) = tool("tpm2_getcap", &["pcrs"]);
    assert!(banks.contains("sha1: [ 0,") && banks.contains("sha384: [ ]"), "{banks}");
    // tpm2-tools make the same key of the same template.
    let (context, public) = (place.path("ek.ctx"), place.path("ek.pub"));
    let (done, text) = tool("tpm2_createek", &["-G", "rsa2048", "-c", &context, "-u", &public, "-f", "der"]);
    assert!(done, "{text}");
    let (_, certified) = run(
        "openssl",
        &["x509", "-inform", "der", "-in", &place.path("certificates/ek-rsa2048.crt"), "-noout", "-modulus"],
    );
    let (_, made) = run("openssl", &["rsa", "-pubin", "-inform", "der", "-in", &public, "-noout", "-modulus"]);
    assert_eq!(certified.trim(), made.trim());
    let iak = openssl_text(&place.0.join("certificates/iak-secp384r1.crt"));
    assert!(iak.contains("IBM:") && iak.contains("Digital Signature"), "{iak}");
}

#[test]
fn certificates_are_made_of_all_kinds_of_keys() {
    let place = Place::new("cert");
    let key = "01".repeat(256);
    let modulus = format!("80{}", &key[2..]);
    assert!(
        run(
            LOCALCA,
            &[
                "--type",
                "ek",
                "--ek",
                &modulus,
                "--dir",
                &place.path("."),
                "--vmid",
                "a,b+c",
                "--tpm2",
                "--configfile",
                &place.path("ca.conf"),
                "--optsfile",
                &place.path("ca.options"),
                "--tpm-spec-family",
                "2.0",
                "--tpm-spec-revision",
                "146",
                "--tpm-spec-level",
                "0",
                "--tpm-manufacturer",
                "IBM",
                "--tpm-model",
                "m",
                "--tpm-version",
                "2",
            ]
        )
        .0
    );
    assert!(openssl_text(&place.0.join("ek.cert")).contains("CN = a_b_c"));
    let out = place.path("out.pem");
    let (key, issuer) = (place.path("ca/key.pem"), place.path("ca/issuer.pem"));
    let common = [
        "--signkey",
        &key,
        "--issuercert",
        &issuer,
        "--out-cert",
        &out,
        "--pem",
        "--tpm-manufacturer",
        "IBM",
        "--tpm-model",
        "m",
        "--tpm-version",
        "2",
        "--tpm-spec-family",
        "2.0",
        "--tpm-spec-revision",
        "146",
        "--tpm-spec-level",
        "0",
    ];
    let make = |more: &[&str]| run(CERT, &[&common[..], more].concat());
    for more in [
        &["--tpm2", "--modulus", &modulus, "--decrypt", "--days", "-1"][..],
        &["--modulus", &modulus],
        &["--tpm2", "--modulus", &modulus, "--serial", "1461501637330902918203684832716283019655932542975"],
    ] {
        let (done, text) = make(more);
        assert!(done, "{more:?}: {text}");
        let (done, text) = run("openssl", &["verify", "-partial_chain", "-CAfile", &issuer, &out]);
        assert!(done || !more.contains(&"--tpm2"), "{text}");
    }
    for (more, part) in [
        (
            &["--tpm2", "--modulus", &modulus, "--serial", "1461501637330902918203684832716283019655932542976"][..],
            "too large",
        ),
        (&["--tpm2"], "No parameters for a public key"),
        (&["--tpm2", "--ecc-x", "01"], "must both be given"),
        (&["--tpm2", "--modulus", &modulus, "--type", "iak"], "--tpm-serial-num"),
        (&["--tpm2", "--modulus", &modulus, "--type", "platform"], "--platform-manufacturer"),
    ] {
        let (done, text) = make(more);
        assert!(!done && text.contains(part), "{more:?}: {text}");
    }
}

#[test]
fn a_token_signs_without_giving_its_key_away() {
    const LIBRARY: &str = "/usr/lib/softhsm/libsofthsm2.so";
    if !installed("softhsm2-util") || !Path::new(LIBRARY).exists() {
        eprintln!("SoftHSM is not installed: no token signs");
        return;
    }
    let place = Place::new("token");
    let ca = |name: &str| place.path(&format!("ca/{name}"));
    // A local CA, whose key moves into a token.
    assert!(place.setup(&LIBVIRT).0);
    std::fs::create_dir(place.0.join("tokens")).unwrap();
    place.write("softhsm.conf", &format!("directories.tokendir = {}\nlog.level = ERROR\n", place.path("tokens")));
    let token = |arguments: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        let (done, text) =
            said(command.args(arguments).env("SOFTHSM2_CONF", place.path("softhsm.conf")).output().unwrap());
        assert!(done, "{text}");
    };
    token(&["--init-token", "--free", "--label", "vm ca", "--pin", "1234", "--so-pin", "5678"]);
    let import = ["--import", &ca("key.pem"), "--token", "vm ca", "--label", "sign", "--id", "a1b2", "--pin", "1234"];
    token(&import);
    std::fs::remove_file(ca("key.pem")).unwrap();
    let configure = |pin: &str, more: &str| {
        place.write("ca.conf", &format!(
            "statedir={folder}\nsigningkey = pkcs11:token=vm%20ca\\;id=%a1%b2\\;type=private?module-path={LIBRARY}{more}\n\
             issuercert = {folder}/issuer.pem\ncertserial = {folder}/serial\nSWTPM_PKCS11_PIN = {pin}\n\
             env:SOFTHSM2_CONF = {conf}\n",
            folder = place.path("ca"),
            conf = place.path("softhsm.conf"),
        ));
    };
    configure("1234", "");
    let certificates = place.path("certificates");
    std::fs::create_dir(&certificates).unwrap();
    let (done, text) = place.setup(&[&LIBVIRT[..], &["--overwrite", "--write-ek-cert-files", &certificates]].concat());
    assert!(done && text.contains("CA uses a PKCS#11 key"), "{text}");
    let ek = place.path("certificates/ek-rsa2048.crt");
    let (root, issuer) = (ca("swtpm-localca-rootca-cert.pem"), ca("issuer.pem"));
    let (done, text) = run("openssl", &["verify", "-CAfile", &root, "-untrusted", &issuer, &ek]);
    assert!(done, "{text}");
    for (pin, more, part) in
        [("4321", "", "does not accept the PIN"), ("1234", "&pin-source=/proc/nonexistent", "Could not read")]
    {
        configure(pin, more);
        let (done, text) = place.setup(&[&LIBVIRT[..], &["--overwrite"]].concat());
        assert!(!done && text.contains(part), "{text}");
    }
}
