use super::*;

fn parse(words: &[&str]) -> Result<Options, Failure> {
    let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
    Options::parse(Program::Vtpmd, Interface::Socket, &words, |_| None)
}

#[test]
fn the_line_that_libvirt_runs() {
    let o = parse(&[
        "--ctrl",
        "type=unixio,path=/run/x.sock,mode=0600",
        "--tpmstate",
        "dir=/var/lib/x/tpm2,mode=0600,lock",
        "--log",
        "file=/var/log/x.log,level=3",
        "--terminate",
        "--tpm2",
        "--key",
        "pwdfd=24,mode=aes-256-cbc",
        "--migration-key",
        "pwdfd=25,mode=aes-256-cbc",
        "--migration",
        "release-lock-outgoing,incoming",
    ])
    .unwrap();
    let endpoint = Endpoint::Path { path: "/run/x.sock".into(), mode: 0o600, uid: None, gid: None };
    assert_eq!(o.ctrl, Some(ControlChannel { endpoint, terminate: false }));
    let state = StateOption { mode: Some(0o600), ..StateOption::folder("/var/lib/x/tpm2".into()) };
    assert_eq!(o.state, Some(state));
    assert!(o.terminate && o.tpm2 && o.incoming && o.release_lock_outgoing);
    let kind = KeyKind::Passphrase(PassphraseKdf::Pbkdf2);
    assert_eq!(o.key, Some(KeyOption { source: Source::Descriptor(24), kind, length: 32, remove: false }));
    assert_eq!(o.migration_key.unwrap().source, Source::Descriptor(25));
    assert_eq!(o.log.unwrap().level, 3);
}

#[test]
fn startup_flags_imply_no_init() {
    let o = parse(&["--flags=startup-clear,disable-auto-shutdown"]).unwrap();
    assert!(o.not_need_init && o.disable_auto_shutdown);
    assert_eq!(o.startup, Some(AutoStartup::Clear));
    assert!(parse(&["--flags=startup-clear,startup-state"]).is_err());
    let last_wins = parse(&["--flags=startup-clear", "--flags", "not-need-init"]).unwrap();
    assert_eq!((last_wins.not_need_init, last_wins.startup), (true, None));
}

#[test]
fn port_closes_after_each_response_and_fd_ends_the_process() {
    let o = parse(&["-p", "2321"]).unwrap().server.unwrap();
    assert!(o.disconnect);
    assert!(matches!(o.endpoint, Endpoint::Tcp { port: 2321, .. }));
    let o = parse(&["--server", "type=tcp,fd=5"]).unwrap();
    assert!(o.terminate);
    assert!(parse(&["--fd", "1"]).is_err());
}

#[test]
fn the_environment_gives_defaults() {
    let env = |name: &str| match name {
        "TPM_PORT" => Some("7000".to_owned()),
        "TPM_PATH" => Some("/state".to_owned()),
        _ => None,
    };
    let words = ["--server".to_owned(), "type=tcp,disconnect".to_owned()];
    let o = Options::parse(Program::Vtpmd, Interface::Socket, &words, env).unwrap();
    assert!(matches!(o.server.unwrap().endpoint, Endpoint::Tcp { port: 7000, .. }));
    assert_eq!(o.state.unwrap().dir, PathBuf::from("/state"));
}

#[test]
fn what_is_not_supported_is_refused_in_words() {
    for (words, part) in [
        (&["--profile", "name=null,file=/x"][..], "exactly one"),
        (&["--profile", "name=null,remove-disabled=x"], "remove-disabled"),
        (&["--pcap", "truncate"], "file= or fd="),
        (&["--tpmstate", "dir=/x,backup"], "older generations"),
        (&["--tpmstate", "backend-uri=file:///x,backup"], "for folders"),
        (&["--chardev", "/x"], "unknown option"),
        (&["--flags", "startup-deactivated"], "TPM 1.2"),
        (&["--ctrl", "type=unixio,path=/x,strange"], "Unknown option"),
        (&["--ctrl", "path=/x"], "type="),
        (&["--ctrl", "type=unixio,fd=4,clientfd=5"], "exclude"),
        (&["--server", "type=unixio"], "path="),
        (&["--server", "type=tcp"], "port="),
        (&["--key", "file=a,fd=3"], "exactly one"),
        (&["--key", "file=a,mode=des"], "mode"),
        (&["--print-info", "zz"], "number"),
    ] {
        let error = parse(words).unwrap_err();
        assert!(error.0.contains(part), "{words:?}: {error}");
    }
}

#[test]
fn every_option_of_the_table_is_in_the_help_and_understood() {
    for interface in [Interface::Socket, Interface::Chardev] {
        let help = help::options("vtpmd", interface);
        for row in table::TABLE.iter().filter(|row| row.is_on(interface)) {
            assert!(help.contains(&format!("--{}", row.spec.long)), "--{}", row.spec.long);
            assert!(!row.help.is_empty() && row.argument.is_empty() != row.spec.value, "--{}", row.spec.long);
            let mut words = vec![format!("--{}", row.spec.long)];
            words.extend(row.spec.value.then(|| "1".to_owned()));
            if let Err(failure) = Options::parse(Program::Vtpmd, interface, &words, |_| None) {
                assert!(!failure.0.contains("unknown option"), "{failure}");
            }
        }
        assert!(help.lines().all(|line| line.len() <= 130), "{help}");
    }
}

#[test]
fn every_option_of_a_command_on_states_is_in_its_help() {
    for (table, help) in [
        (convert::CONVERT, help::CONVERT),
        (convert::EXPORT, help::EXPORT),
        (convert::IMPORT, help::IMPORT),
        (shred::SHRED, help::SHRED),
    ] {
        for spec in table.iter().filter(|spec| spec.long != "help") {
            let named = format!("--{}", spec.long);
            let mut words = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
            assert!(words.any(|word| word == named), "{named} is missing: {help}");
        }
    }
}

#[test]
fn the_name_gives_the_format_of_the_state() {
    let parse = |program, words: &[&str]| {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        Options::parse(program, Interface::Socket, &words, |_| None).unwrap().state_format()
    };
    assert_eq!(parse(Program::Vtpmd, &[]), StateFormat::Vtpmd);
    assert_eq!(parse(Program::Swtpm, &[]), StateFormat::Swtpm);
    assert_eq!(parse(Program::Vtpmd, &["--state-format", "swtpm"]), StateFormat::Swtpm);
    assert_eq!(parse(Program::Swtpm, &["--state-format=vtpmd"]), StateFormat::Vtpmd);
}

#[test]
fn systemd_gives_the_control_channels_socket() {
    let with = |pid: u32, names: Option<&'static str>| {
        let env = move |name: &str| match name {
            "LISTEN_PID" => Some(pid.to_string()),
            "LISTEN_FDS" => Some("2".to_owned()),
            "LISTEN_FDNAMES" => names.map(str::to_owned),
            _ => None,
        };
        Options::parse(Program::Swtpm, Interface::Socket, &[], env).unwrap().ctrl.map(|ctrl| ctrl.endpoint)
    };
    assert_eq!(with(std::process::id(), None), Some(Endpoint::Listening(3)));
    assert_eq!(with(std::process::id(), Some("other:ctrl")), Some(Endpoint::Listening(4)));
    assert_eq!(with(1, None), None);
}

#[test]
fn a_port_is_that_of_a_server_without_one() {
    let o = parse(&["-p", "2321", "--server", "type=tcp"]).unwrap().server.unwrap();
    assert!(matches!(o.endpoint, Endpoint::Tcp { port: 2321, .. }) && !o.disconnect);
}
