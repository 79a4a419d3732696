//! `vtpmd state shred` with the real program and a key manager that destroys keys: the host's files cannot, so a shared key
//! stays and is named; each step can be interrupted.

mod common;

use common::{Daemon, Folder, VTPMD, command, killed};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

struct Vm {
    folder: Folder,
    dir: String,
    manager: String,
}

impl Vm {
    /// A state under a key manager, at rest.
    fn new(name: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::new(name);
        std::fs::write(folder.at("master.key"), [7; 32]).unwrap();
        std::fs::set_permissions(folder.at("master.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
        let (dir, manager) = (format!("dir={}", folder.text("state")), format!("file:{}", folder.text("master.key")));
        let vm = Self { folder, dir, manager };
        let mut daemon = vm.start();
        assert_eq!(daemon.data().define_counter(), 0);
        daemon.control().shutdown();
        daemon.wait();
        vm
    }

    fn start(&self) -> Daemon {
        Daemon::running(&self.folder, &["--vm", "web", "--key-manager", &self.manager])
    }

    fn refusal(&self) -> String {
        let words = ["--flags", "startup-clear", "--vm", "web", "--key-manager", &self.manager];
        let output = command(&self.folder, &words).output().unwrap();
        assert!(!output.status.success());
        text(&output.stderr)
    }

    fn shred(&self, words: &[&str]) -> Output {
        Command::new(VTPMD).args(["state", "shred", "--tpmstate", &self.dir]).args(words).output().unwrap()
    }

    fn good(&self, words: &[&str]) -> String {
        let output = self.shred(&[words, &["--key-manager", &self.manager]].concat());
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn refused(&self, words: &[&str], why: &str) {
        let output = self.shred(&[words, &["--key-manager", &self.manager]].concat());
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(why), "{words:?}: {error}");
    }

    fn order(&self) -> String {
        std::fs::read_to_string(self.folder.at("state/tpm.order")).unwrap()
    }
}

#[test]
fn an_order_stops_the_tpm_until_it_is_taken_back() {
    let vm = Vm::new("shred-order");
    let mut daemon = vm.start();
    vm.refused(&["--reason", "deleted"], "in use by process");
    daemon.kill();
    vm.refused(&[], "--reason");
    vm.refused(&["--cancel"], "no order");
    vm.refused(&["--finish"], "no order");
    vm.refused(&["--reason", "deleted", "--grace", "0"], "--confirm web");
    vm.refused(&["--reason", "deleted", "--grace", "0", "--confirm", "db"], "not of db");
    let told = vm.good(&["--reason", "deleted by its owner", "--json"]);
    assert!(told.contains("\"authenticated\": true") && told.contains("\"manager\": \"file\""), "{told}");
    let refused = vm.refusal();
    assert!(refused.contains("deleted by its owner") && refused.contains("cancel"), "{refused}");
    vm.refused(&["--reason", "again"], "deleted by its owner");
    vm.refused(&["--finish"], "of grace are left");
    // Everything else that opens the state is refused too, and looking at it says why.
    let other = |words: &[&str]| {
        let more = ["--tpmstate", &vm.dir, "--key-manager", &vm.manager];
        Command::new(VTPMD).arg("state").args(words).args(more).output().unwrap()
    };
    assert!(text(&other(&["verify"]).stderr).contains("deleted by its owner"));
    assert!(text(&other(&["show"]).stdout).contains("deleted by its owner"));
    let file = format!("file:{}", vm.folder.text("out"));
    assert!(text(&other(&["export", "--plain", "--to", &file]).stderr).contains("deleted by its owner"));
    vm.good(&["--cancel"]);
    let mut daemon = vm.start();
    assert_eq!(daemon.data().counter_is_there(), 0);
    daemon.kill();
}

#[test]
fn a_shredded_state_is_gone_and_a_shared_key_is_named() {
    let vm = Vm::new("shred-finish");
    let copy = std::fs::read(vm.folder.at("state/tpm.state")).unwrap();
    // What swtpm left when its state was taken over goes as well.
    std::fs::write(vm.folder.at("state/tpm2-00.permall"), b"the same TPM once").unwrap();
    vm.good(&["--reason", "deleted", "--grace", "0", "--confirm", "web"]);
    // Without the key nothing shows that the order is genuine.
    let keyless = vm.shred(&["--finish"]);
    assert!(!keyless.status.success() && text(&keyless.stderr).contains("give the key"), "{}", text(&keyless.stderr));
    let told = vm.good(&["--finish"]);
    assert!(told.contains("other VMs use too") && told.contains("erased: "), "{told}");
    for gone in ["tpm.state", "tpm.state.new", "tpm2-00.permall"] {
        assert!(!vm.folder.at("state").join(gone).exists(), "{gone}");
    }
    assert!(vm.folder.at("master.key").exists(), "the key of other VMs stays");
    // A copy that is put back here is refused, and doing it once more erases that, too.
    std::fs::write(vm.folder.at("state/tpm.state"), copy).unwrap();
    assert!(vm.refusal().contains("destroyed already"));
    vm.refused(&["--cancel"], "destroyed already");
    vm.good(&["--finish"]);
    assert!(!vm.folder.at("state/tpm.state").exists());
}

#[test]
fn an_order_that_was_changed_is_not_carried_out() {
    use sha2::{Digest, Sha256};
    let vm = Vm::new("shred-forged");
    vm.good(&["--reason", "deleted"]);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let forge = |from: &str| {
        // Due now, with the right digest at the end.
        let mut lines: Vec<String> = vm.order().lines().map(str::to_owned).collect();
        lines.pop();
        lines.iter_mut().filter(|line| line.starts_with(from)).for_each(|line| {
            *line = if from == "due " { format!("due {now}") } else { "code none".to_owned() };
        });
        let body = lines.join("\n") + "\n";
        let sum: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        std::fs::write(vm.folder.at("state/tpm.order"), format!("{body}sha256 {sum}\n")).unwrap();
    };
    forge("due ");
    vm.refused(&["--finish"], "changed by somebody without the key");
    forge("code ");
    vm.refused(&["--finish"], "--confirm web");
    assert!(vm.folder.at("state/tpm.state").exists());
    // Cut off while it was written: nobody starts on that either.
    std::fs::write(vm.folder.at("state/tpm.order"), &vm.order().as_bytes()[..40]).unwrap();
    assert!(vm.refusal().contains("--cancel"));
    vm.refused(&["--finish"], "cannot be read");
    vm.good(&["--cancel"]);
    vm.start().kill();
}

#[test]
fn a_killed_shredding_is_gone_on_with() {
    let vm = Vm::new("shred-killed");
    let names = ["tpm.state", ".lock"];
    let state: Vec<Vec<u8>> =
        names.iter().map(|name| std::fs::read(vm.folder.at("state").join(name)).unwrap()).collect();
    let begin = |order: Option<&str>| {
        let _ = std::fs::remove_dir_all(vm.folder.at("state"));
        std::fs::create_dir(vm.folder.at("state")).unwrap();
        names
            .iter()
            .zip(&state)
            .for_each(|(name, bytes)| std::fs::write(vm.folder.at("state").join(name), bytes).unwrap());
        if let Some(order) = order {
            std::fs::write(vm.folder.at("state/tpm.order"), order).unwrap();
        }
    };
    let words = |more: &[&'static str]| -> Vec<String> {
        let all = ["shred", "--tpmstate", &vm.dir, "--key-manager", &vm.manager];
        all.iter().chain(more).map(|word| (*word).to_owned()).collect()
    };
    let run = |words: &[String]| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Command::new(VTPMD).arg("state").args(words).output().unwrap()
    };
    let killed = |words: &[String], after: &mut dyn FnMut()| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        killed(&words, after)
    };
    let schedule = words(&["--reason", "deleted", "--grace", "0", "--confirm", "web"]);
    let mut kills = killed(&schedule, &mut || {
        // The order stands whole, or there is none.
        if vm.folder.at("state/tpm.order").exists() {
            assert!(vm.refusal().contains("deleted"));
        } else {
            vm.start().kill();
        }
        begin(None);
    });
    let order = vm.order();
    let finish = words(&["--finish"]);
    begin(Some(&order));
    kills += killed(&finish, &mut || {
        assert!(!vm.refusal().is_empty(), "no kill lets the TPM start again");
        let again = run(&finish);
        assert!(again.status.success(), "{}", text(&again.stderr));
        assert!(!vm.folder.at("state/tpm.state").exists());
        begin(Some(&order));
    });
    let cancel = words(&["--cancel"]);
    begin(Some(&order));
    kills += killed(&cancel, &mut || {
        if vm.folder.at("state/tpm.order").exists() {
            assert!(run(&cancel).status.success());
        }
        vm.start().kill();
        begin(Some(&order));
    });
    println!("{kills} kills");
    assert!(kills >= 20, "only {kills} kills");
}
