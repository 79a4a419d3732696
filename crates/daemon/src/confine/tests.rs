use super::*;
use crate::options::Interface;
use crate::testing::Folder;
use std::fs::File;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

/// Runs this on a thread of its own, which confinement does not leave.
fn alone(run: impl FnOnce() + Send + 'static) {
    std::thread::spawn(run).join().unwrap();
}

fn refused<T>(outcome: std::io::Result<T>) -> bool {
    outcome.err().is_some_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn files_of_others_are_out_of_reach() {
    let (ours, theirs) = (Folder::new("confined-own"), Folder::new("confined-other"));
    let (own, other) = (ours.path().to_owned(), theirs.path().to_owned());
    std::fs::write(other.join("state"), b"of another VM").unwrap();
    std::fs::write(own.join("old"), b"").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap();
    alone(move || {
        let socket = other.join("socket");
        std::fs::write(&socket, b"").unwrap();
        let mut reach = Reach::default();
        reach.own.push(own.clone());
        reach.change.push("/dev/null".into());
        if reach.enforce().unwrap() == Enforced::No {
            eprintln!("this kernel has no Landlock: skipped");
            return;
        }
        assert!(refused(File::open(other.join("state"))));
        assert!(refused(File::create(other.join("new"))));
        assert!(refused(std::fs::remove_file(&socket)));
        assert!(refused(File::open("/etc/passwd")));
        assert!(refused(std::fs::read_dir("/")));
        assert!(refused(std::process::Command::new("/bin/true").status()));
        assert!(refused(TcpStream::connect(port)));
        // What a commit does.
        std::fs::write(own.join("new"), b"state").unwrap();
        std::fs::rename(own.join("new"), own.join("old")).unwrap();
        assert_eq!(std::fs::read(own.join("old")).unwrap(), b"state");
        std::fs::remove_file(own.join("old")).unwrap();
        File::options().read(true).write(true).open("/dev/null").unwrap();
    });
    assert!(File::open("/etc/passwd").is_ok(), "other threads are as they were");
}

#[test]
fn one_port_can_be_left_open() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap();
    alone(move || {
        let reach = Reach { connect: Some(port.port()), ..Reach::default() };
        reach.enforce().unwrap();
        TcpStream::connect(port).unwrap();
    });
}

#[test]
fn sockets_and_pid_files_can_be_removed_at_the_end_and_nothing_else() {
    let folder = Folder::new("confined-remove");
    let path = folder.path().to_owned();
    std::fs::write(path.join("pid"), b"1").unwrap();
    alone(move || {
        let reach = Reach { remove: vec![path.clone()], ..Reach::default() };
        if reach.enforce().unwrap() == Enforced::No {
            return;
        }
        assert!(refused(File::open(path.join("pid"))));
        std::fs::remove_file(path.join("pid")).unwrap();
        assert!(refused(File::create(path.join("pid"))));
    });
}

#[test]
fn capabilities_are_gone_for_good() {
    alone(|| {
        capabilities(CapabilitySet::empty()).unwrap();
        let held = rustix::thread::capabilities(None).unwrap();
        assert!(held.effective.is_empty() && held.permitted.is_empty() && held.inheritable.is_empty());
        let all = CapabilitySets {
            effective: CapabilitySet::SYS_ADMIN,
            permitted: CapabilitySet::SYS_ADMIN,
            inheritable: CapabilitySet::empty(),
        };
        assert!(rustix::thread::set_capabilities(None, all).is_err());
    });
    if rustix::process::geteuid().is_root() {
        alone(|| {
            let kept = CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
            capabilities(kept).unwrap();
            let held = rustix::thread::capabilities(None).unwrap();
            assert!(kept.contains(held.effective) && !held.effective.is_empty());
        });
    }
}

#[test]
fn the_options_say_what_is_needed() {
    let words = [
        "--tpmstate=dir=/var/lib/vm/tpm",
        "--ctrl=type=unixio,path=/run/vm/ctrl",
        "--pid=file=/run/pids/vm",
        "--anchor=/var/lib/anchors/vm",
    ];
    let words: Vec<String> = words.map(str::to_owned).to_vec();
    let needed = reach(&Options::parse(Program::Vtpmd, Interface::Socket, &words, |_| None).unwrap());
    assert_eq!(needed.own, [PathBuf::from("/var/lib/vm/tpm"), "/var/lib/anchors".into()]);
    assert_eq!(needed.remove, [PathBuf::from("/run/vm"), "/run/pids".into()]);
    assert_eq!(needed.change, [PathBuf::from("/dev/null")]);
    assert!(needed.read == [PathBuf::from(FIPS_MODE)] && !needed.any_connection && needed.connect.is_none());
    let words = ["--tpmstate=backend-uri=file://state", "--key-manager=file:/keys/k"].map(str::to_owned);
    let needed = reach(&Options::parse(Program::Vtpmd, Interface::Socket, &words, |_| None).unwrap());
    assert!(needed.own.is_empty() && needed.change.contains(&"state".into()));
    assert!(needed.read.contains(&"/".into()));
}
