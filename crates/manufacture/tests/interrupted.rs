//! Runs of `swtpm_setup` that are killed, that have no room or no rights, and that are made at the same time: there is no
//! state, the old one, or a whole new one, and the CA stays whole.

use core::time::Duration;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

const SETUP: &str = env!("CARGO_BIN_EXE_swtpm_setup");
/// How often it is killed; the variable asks for more.
const KILLS: &str = "SEALWRIGHT_KILLS";
const WANTED: [&str; 6] =
    ["--vmid", "vm:1", "--createek", "--create-ek-cert", "--create-platform-cert", "--lock-nvram"];

/// A folder with states, a CA and its configuration, and the program by the names that make it need no other; it goes away.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let place = Self(std::env::temp_dir().join(format!("sealwright-interrupted-{name}-{}", std::process::id())));
        let _ = std::fs::remove_dir_all(&place.0);
        for folder in ["state", "bin", "ca"] {
            std::fs::create_dir_all(place.0.join(folder)).unwrap();
        }
        for name in ["swtpm_setup", "swtpm_localca"] {
            std::os::unix::fs::symlink(SETUP, place.0.join("bin").join(name)).unwrap();
        }
        let at = |name: &str| place.0.join(name).display().to_string();
        let (ca, options) = (at("ca"), at("ca.options"));
        let files = [
            (
                "ca.conf",
                format!("statedir={ca}\nsigningkey={ca}/key.pem\nissuercert={ca}/issuer.pem\ncertserial={ca}/serial\n"),
            ),
            ("ca.options", "--platform-manufacturer m\n--platform-version 1\n--platform-model q\n".to_owned()),
            (
                "setup.conf",
                format!(
                    "create_certs_tool={}\ncreate_certs_tool_config={}\ncreate_certs_tool_options={options}\n",
                    at("bin/swtpm_localca"),
                    at("ca.conf")
                ),
            ),
        ];
        for (name, text) in files {
            std::fs::write(place.0.join(name), text).unwrap();
        }
        place
    }

    fn setup(&self, state: &str, more: &[&str]) -> Command {
        let mut command = Command::new(self.0.join("bin/swtpm_setup"));
        command.args(["--tpm2", "--tpm-state"]).arg(self.0.join(state));
        command.arg("--config").arg(self.0.join("setup.conf")).args(more);
        command
    }

    /// Runs it to its end, which must be a good one.
    fn succeeds(&self, state: &str, more: &[&str]) {
        let output = self.setup(state, more).output().unwrap();
        assert!(output.status.success(), "{more:?}: {}", text(&output));
    }

    fn names(&self, folder: &str) -> BTreeSet<String> {
        let entries = std::fs::read_dir(self.0.join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Something of openssl about a certificate in DER.
fn openssl(certificate: &Path, what: &str) -> String {
    let mut command = Command::new("openssl");
    let output = command.args(["x509", "-inform", "der", "-noout", what, "-in"]).arg(certificate).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    text(&output)
}

/// Numbers for the instants of kills: xorshift64, from a seed that the test prints.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing_half_made() {
    let kills = std::env::var(KILLS).ok().and_then(|text| text.parse().ok()).unwrap_or(24_u64);
    let place = Place::new("killed");
    let start = Instant::now();
    place.succeeds("state", &WANTED);
    // That included a new CA; runs without take a part of it.
    let longest = start.elapsed().as_micros() as u64;
    let file = place.0.join("state/tpm2-00.permall");
    let mut random = Random(std::process::id().into());
    println!("seed {}", random.0);
    let (mut none, mut old, mut new) = (0, 0, 0);
    for round in 0..kills {
        // In turn: a first TPM or one in the place of another, each with a CA that is there or not.
        if round & 1 == 0 {
            let _ = std::fs::remove_file(&file);
        }
        if round & 2 == 0 {
            std::fs::remove_dir_all(place.0.join("ca")).unwrap();
            std::fs::create_dir(place.0.join("ca")).unwrap();
        }
        let before = std::fs::read(&file).ok();
        let mut setup = place.setup("state", &[&WANTED[..], &["--overwrite"]].concat());
        let mut child = setup.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let limit = if round & 2 == 0 { longest } else { longest / 4 };
        std::thread::sleep(Duration::from_micros(random.below(limit)));
        let _ = child.kill();
        child.wait().unwrap();
        match (std::fs::read(&file).ok(), before) {
            (None, None) => none += 1,
            (Some(after), Some(before)) if after == before => old += 1,
            (Some(_), _) => new += 1,
            (None, Some(_)) => panic!("round {round}: the old state is gone"),
        }
        if file.exists() {
            // A whole TPM: it opens, starts and is stored again.
            place.succeeds("state", &["--reconfigure", "--pcr-banks", "sha1,sha256"]);
        }
        // Nobody has to clean up: the same command goes on, and what had been left waiting is gone.
        place.succeeds("state", &[&WANTED[..], &["--overwrite"]].concat());
        assert_eq!(place.names("state"), [".lock", "tpm2-00.permall"].map(str::to_owned).into());
        let left: Vec<_> = place.names("ca").into_iter().filter(|name| name.starts_with('.')).collect();
        assert_eq!(left, [".lock.swtpm-localca"], "round {round}");
    }
    println!("{kills} kills: {none} left no state, {old} the old one, {new} a new one");
    assert!(none + old > 0, "no kill came before the end");
}

#[test]
fn runs_at_the_same_time_share_the_ca() {
    let place = Place::new("together");
    let names: Vec<String> = (0..6).map(|number| format!("together{number}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            std::fs::create_dir(place.0.join(name)).unwrap();
            let mut setup = place.setup(name, &WANTED);
            setup.arg("--write-ek-cert-files").arg(place.0.join(name));
            setup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
    let certificates = ["ek-rsa2048.crt", "ek-secp384r1.crt"];
    let all: Vec<PathBuf> =
        names.iter().flat_map(|name| certificates.map(|file| place.0.join(name).join(file))).collect();
    let serials: BTreeSet<String> = all.iter().map(|file| openssl(file, "-serial")).collect();
    assert_eq!(serials.len(), all.len(), "{serials:?}");
    // One CA: all are of the issuer that is there now.
    for file in &all {
        let issuer = place.0.join("ca/issuer.pem");
        let mut verify = Command::new("openssl");
        verify.args(["verify", "-partial_chain", "-CAfile"]).arg(issuer).arg(file);
        let output = verify.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
    }
}

#[test]
fn a_full_disk_is_said_and_changes_nothing() {
    let place = Place::new("full");
    place.succeeds("state", &WANTED);
    // The state is on a disk with room for its lock and nothing more, or the CA is.
    for (folder, room) in [("state", "4k"), ("ca", "4k"), ("ca", "12k")] {
        let at = place.0.join(folder);
        let script = format!(
            "mount -t tmpfs -o size={room} none '{0}' || exit 77; head -c {1} /dev/zero > '{0}/filler'; \
             \"$@\"; code=$?; rm -f '{0}/filler'; ls -A '{0}' >&2; exit $code",
            at.display(),
            if room == "4k" { 4096 } else { 0 },
        );
        let setup = place.setup("state", &[&WANTED[..], &["--overwrite"]].concat());
        let mut run = Command::new("unshare");
        run.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
        let output = run.arg(setup.get_program()).args(setup.get_args()).output().unwrap();
        let said = text(&output);
        if output.status.code() == Some(77) || said.contains("unshare") {
            eprintln!("skipped: no mount namespace can be made here");
            return;
        }
        assert_eq!(output.status.code(), Some(1), "{folder} {room}: {said}");
        assert!(said.contains("No space left on device"), "{folder} {room}: {said}");
        assert!(!said.contains("tpm2-00.permall\n"), "{folder} {room}: a state was left: {said}");
        let left = said.lines().any(|line| line.starts_with('.') && !line.starts_with(".lock"));
        assert!(!left && !said.contains("\nkey.pem"), "{folder} {room}: something half made was left: {said}");
    }
    place.succeeds("state", &["--reconfigure", "--pcr-banks", "sha256"]);
}

#[test]
fn a_ca_that_cannot_be_written_is_named() {
    let place = Place::new("rights");
    // Where a folder should be is a file.
    std::fs::remove_dir_all(place.0.join("ca")).unwrap();
    std::fs::write(place.0.join("ca"), "no folder").unwrap();
    let output = place.setup("state", &WANTED).output().unwrap();
    let said = text(&output);
    assert!(output.status.code() == Some(1) && said.contains(&place.0.join("ca").display().to_string()), "{said}");
    assert_eq!(place.names("state"), [".lock".to_owned()].into());
    // A folder without rights: for somebody who is not root.
    std::fs::remove_file(place.0.join("ca")).unwrap();
    std::fs::create_dir(place.0.join("ca")).unwrap();
    std::fs::set_permissions(place.0.join("ca"), std::fs::Permissions::from_mode(0o555)).unwrap();
    std::fs::set_permissions(place.0.join("state"), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::remove_file(place.0.join("state/.lock")).unwrap();
    let setup = place.setup("state", &WANTED);
    let mut run = Command::new("setpriv");
    run.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(setup.get_program()).args(setup.get_args());
    match run.output() {
        Ok(output) if text(&output).contains("setpriv:") => eprintln!("skipped: {}", text(&output)),
        Ok(output) => {
            let said = text(&output);
            let named = said.contains("Need read/write rights on statedir") || said.contains("swtpm_setup");
            assert!(output.status.code() == Some(1) && named, "{said}");
            assert!(!place.names("state").contains("tpm2-00.permall"));
        }
        Err(error) => eprintln!("skipped: setpriv: {error}"),
    }
}
