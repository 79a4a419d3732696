//! All programs in swtpm's place at once, as libvirt and systemd run them: the tenth item of `crates/daemon/tests/drop_in.rs`.
//!
//! VTPMD names vtpmd; `swtpm_setup` and the others are beside it (`cargo xtask test compat` builds them). Each program of
//! Debian's swtpm that is installed takes the place of ours in turn.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use core::time::Duration;
use sealwright_differential::daemon::new_folder;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

const PROGRAMS: [&str; 6] = ["swtpm", "swtpm_setup", "swtpm_localca", "swtpm_cert", "swtpm_ioctl", "swtpm_bios"];

/// A folder with all programs by swtpm's names, that of `theirs` being Debian's; `None` if it is not to be had.
fn programs(theirs: Option<&str>) -> Option<PathBuf> {
    let Some(vtpmd) = std::env::var_os("VTPMD").map(PathBuf::from) else {
        eprintln!("NOT CHECKED: the variable VTPMD names no vtpmd");
        return None;
    };
    let folder = new_folder().unwrap();
    for name in PROGRAMS {
        let program = match name {
            name if theirs == Some(name) => Path::new("/usr/bin").join(name),
            "swtpm" => vtpmd.clone(),
            name => vtpmd.with_file_name(name),
        };
        if !program.exists() {
            eprintln!("NOT CHECKED: there is no {}", program.display());
            return None;
        }
        symlink(program, folder.join(name)).unwrap();
    }
    Some(folder)
}

/// A host on which these programs are the ones in PATH.
struct Host {
    bin: PathBuf,
    at: PathBuf,
}

impl Host {
    fn new(bin: PathBuf) -> Self {
        let host = Self { bin, at: new_folder().unwrap() };
        std::fs::create_dir(host.at.join("ca")).unwrap();
        std::fs::create_dir(host.at.join("state")).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(host.at.join(name), text.replace("AT", host.text())).unwrap();
        write(
            "localca.conf",
            "statedir = AT/ca\nsigningkey = AT/ca/key.pem\nissuercert = AT/ca/cert.pem\ncertserial = AT/ca/serial\n",
        );
        write("localca.options", "--platform-manufacturer systemd\n--platform-version 2.1\n--platform-model swtpm\n");
        let tool = format!(
            "create_certs_tool = {}\ncreate_certs_tool_config = AT/localca.conf\ncreate_certs_tool_options = AT/localca.options\n",
            host.bin.join("swtpm_localca").display()
        );
        write("setup.conf", &tool);
        host
    }

    fn text(&self) -> &str {
        // The folder of a test has a plain name.
        self.at.to_str().unwrap()
    }

    /// A line of a shell, in which AT is the folder of this host.
    fn line(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        command.args(["-c", &format!("exec {}", line.replace("AT", self.text()))]).env("PATH", path);
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.line(line).output().unwrap()
    }

    fn must(&self, line: &str) -> String {
        let out = self.run(line);
        let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{line}: {said}");
        said
    }

    fn daemon(&self, line: &str) -> Running {
        let child = self.line(line).spawn().unwrap();
        let socket = self.at.join("sock");
        let begin = Instant::now();
        while UnixStream::connect(&socket).is_err() {
            assert!(begin.elapsed() < Duration::from_secs(20), "{line}: no control socket");
            std::thread::sleep(Duration::from_millis(5));
        }
        Running(child)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for folder in [&self.bin, &self.at] {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

struct Running(Child);

impl Running {
    fn ended(&mut self) {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "the daemon does not end");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What libvirt 9 does to a domain: make its TPM, ask for its profile, give it PCR banks, start, and stop it.
fn as_libvirt(host: &Host, new: bool) {
    // The passphrase comes by descriptors, twice.
    let pass = "7<AT/pass 8<AT/pass";
    std::fs::write(host.at.join("pass"), "a passphrase").unwrap();
    let state = "AT/state";
    let key = "--pwdfile-fd 7 --cipher aes-256-cbc";
    host.must(&format!(
        "swtpm_setup --tpm2 {key} --tpm-state {state} --vmid vm:53aab1f0 --logfile AT/log --createek --create-ek-cert --create-platform-cert --lock-nvram --not-overwrite --config AT/setup.conf {pass}"
    ));
    let made = std::fs::read(host.at.join("state/tpm2-00.permall")).unwrap();
    host.must(&format!(
        "swtpm_setup --tpm2 {key} --tpm-state {state} --vmid vm:53aab1f0 --logfile AT/log --createek --not-overwrite --config AT/setup.conf {pass}"
    ));
    assert_eq!(std::fs::read(host.at.join("state/tpm2-00.permall")).unwrap(), made, "--not-overwrite");
    if new {
        let info = format!(
            "swtpm socket --print-info 0x20 --tpm2 --tpmstate dir={state} --key pwdfd=7,mode=aes-256-cbc {pass}"
        );
        assert!(host.must(&info).contains(r#""Name":"null""#));
    }
    host.must(&format!(
        "swtpm_setup --tpm2 {key} --tpm-state {state} --logfile AT/log --pcr-banks sha1,sha256 --reconfigure --config AT/setup.conf {pass}"
    ));
    let line = format!(
        "swtpm socket --ctrl type=unixio,path=AT/sock,mode=0600 --tpmstate dir={state},mode=0600 --log file=AT/log --terminate --tpm2 --key pwdfd=7,mode=aes-256-cbc --migration-key pwdfd=8,mode=aes-256-cbc {pass}"
    );
    let mut daemon = host.daemon(&line);
    assert!(host.must("swtpm_ioctl --unix AT/sock -c").contains("ptm capability is 0x"));
    host.must("swtpm_ioctl --unix AT/sock -i");
    assert!(host.must("swtpm_ioctl --unix AT/sock -g").contains("0x3"), "both keys");
    host.must("swtpm_ioctl --unix AT/sock --save permanent AT/blob");
    host.must("swtpm_ioctl --unix AT/sock -s");
    daemon.ended();
    assert!(!host.run("swtpm_ioctl --unix AT/sock -s").status.success(), "the left-over of a run is gone");
}

/// What systemd does: choose a profile, make the TPM of ECC keys, start it, and the firmware's commands after that.
fn as_systemd(host: &Host, new: bool) {
    let mut name = String::new();
    if new {
        let profiles = host.must("swtpm_setup --tpm2 --print-profiles");
        assert!(profiles.contains(r#""builtin""#) && profiles.contains("default-v2"), "{profiles}");
        name = "--profile-name=default-v1".to_owned();
    }
    host.must(&format!(
        "swtpm_setup --tpm-state AT/state --tpm2 --pcr-banks sha256 --ecc --createek --create-ek-cert --create-platform-cert --not-overwrite --config AT/setup.conf {name} --logfile /dev/null"
    ));
    assert!(host.at.join("ca/cert.pem").exists(), "the local CA was made");
    let mut daemon = host.daemon(
        "swtpm socket --tpm2 --tpmstate dir=AT/state --ctrl type=unixio,path=AT/sock --server type=unixio,path=AT/data",
    );
    host.must("swtpm_ioctl --unix AT/sock -i");
    host.must("swtpm_bios --unix AT/data --tpm2");
    assert!(host.must("swtpm_ioctl --unix AT/sock -e").contains("tpmEstablished is 0"));
    host.must("swtpm_ioctl --unix AT/sock -v");
    host.must("swtpm_ioctl --unix AT/sock --save volatile AT/volatile");
    host.must("swtpm_ioctl --unix AT/sock -s");
    daemon.ended();
    let listed = host.must("swtpm socket --tpm2 --tpmstate dir=AT/state --print-states");
    assert!(listed.contains("permall"), "{listed}");
}

fn all(theirs: Option<&str>) {
    // Debian's 0.7.1 knows no profiles.
    let new = !matches!(theirs, Some("swtpm" | "swtpm_setup"));
    for scenario in [as_libvirt, as_systemd] {
        let Some(bin) = programs(theirs) else { return };
        scenario(&Host::new(bin), new);
    }
}

#[test]
fn item_10_all_programs_in_swtpms_place() {
    all(None);
}

#[test]
fn item_10_each_program_beside_debians_others() {
    for name in PROGRAMS {
        all(Some(name));
    }
}
