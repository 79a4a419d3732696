//! The tools beside swtpm's own, on a daemon that gives the same answers to both: the same bytes are sent, the same is
//! printed, and the exit status is the same. Without swtpm's tools each tool is held against what is written here.

mod common;

use common::{BIOS, Folder, IOCTL, Outcome, Scripted, installed, run};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A TPM response of TPM 1.2, and of 2.0.
fn response(tag: u16, code: u32, rest: &[u8]) -> Vec<u8> {
    let size = u32::try_from(10 + rest.len()).unwrap();
    [&tag.to_be_bytes()[..], &size.to_be_bytes(), &code.to_be_bytes(), rest].concat()
}

/// One run of a tool: what it did, and what the daemon heard.
fn play(tool: &str, line: &[&str], answers: &[Vec<u8>], input: &[u8]) -> (Outcome, Vec<u8>) {
    let daemon = Scripted::new(answers);
    let socket = daemon.socket();
    let line: Vec<&str> = ["--unix", &socket].into_iter().chain(line.iter().copied()).collect();
    let outcome = run(tool, &line, input);
    (outcome, daemon.heard())
}

/// (words, answers of the daemon, exit status, a part of what is printed)
type Case = (&'static [&'static str], Vec<Vec<u8>>, i32, &'static str);

/// (words, answers of the TPM, exit status)
type BiosCase = (Vec<&'static str>, Vec<Vec<u8>>, i32);

fn ioctl_cases() -> Vec<Case> {
    let ok = || words(&[0]);
    let case = |line, answers, status, part| (line, answers, status, part);
    vec![
        case(&["-c"][..], vec![words(&[0, 0x1_ffff])], 0, "ptm capability is 0x1ffff\n"),
        case(&["-i"], vec![ok()], 0, ""),
        case(&["-i"], vec![words(&[0x101])], 1, "TPM result from PTM_INIT: 0x101\n"),
        case(&["--stop"], vec![ok()], 0, ""),
        case(&["--stop"], vec![words(&[9])], 1, "TPM result from PTM_STOP: 0x9\n"),
        case(&["-s"], vec![ok()], 0, ""),
        case(&["-s"], vec![words(&[9])], 1, "TPM result from PTM_SHUTDOWN: 0x9\n"),
        case(&["-e"], vec![words(&[0, 0x0100_0000])], 0, "tpmEstablished is 1\n"),
        case(&["-e"], vec![words(&[0, 0])], 0, "tpmEstablished is 0\n"),
        case(&["-e"], vec![words(&[0xa])], 1, "TPM result from PTM_GET_TPMESTABLISHED: 0xa\n"),
        case(&["-r", "3"], vec![ok()], 0, ""),
        case(&["-r", "0"], vec![words(&[0x3d])], 1, "TPM result from PTM_RESET_TPMESTABLISHED: 0x3d\n"),
        case(&["-r", "7"], vec![], 1, "Locality outside valid range of [0..4].\n"),
        case(&["-r", "x"], vec![], 1, "Could not get locality number from x.\n"),
        case(&["-v"], vec![ok()], 0, ""),
        case(&["-v"], vec![words(&[9])], 1, "TPM result from PTM_STORE_VOLATILE: 0x9\n"),
        case(&["-C"], vec![ok()], 0, ""),
        case(&["-C"], vec![words(&[0xa])], 1, "TPM result from PTM_CANCEL_TPM_CMD: 0xa\n"),
        case(&["-l", "3"], vec![ok()], 0, ""),
        case(&["-l", "4"], vec![words(&[0x3d])], 1, "TPM result from PTM_SET_LOCALITY: 0x3d\n"),
        case(&["-l", "5"], vec![], 1, "Locality outside"),
        case(&["-g"], vec![words(&[0, 3])], 0, "ptm configuration flags: 0x3\n"),
        case(&["-g"], vec![words(&[9, 0])], 1, "TPM result from PTM_GET_CONFIG: 0x9\n"),
        case(
            &["-b", "4096"],
            vec![words(&[0, 4096, 2808, 4096])],
            0,
            "TPM buffersize: 4096\nminimum size  : 2808\nmaximum size  : 4096\n",
        ),
        case(&["-b", "0"], vec![words(&[0xa])], 1, "TPM result from PTM_SET_BUFFERSIZE: 0xa\n"),
        case(&["-b", "0"], vec![words(&[0xa, 1, 2, 3])], 1, "TPM result from PTM_SET_BUFFERSIZE: 0xa\n"),
        case(&["-b", "x"], vec![], 1, "Could not get buffersize from x.\n"),
        case(&["-h", "abc"], vec![ok(), ok(), ok()], 0, ""),
        case(&["-h", "-"], vec![ok(); 6], 0, ""),
        case(&["-h", "abc"], vec![words(&[0xa])], 1, "TPM result from PTM_HASH_START: 0xa\n"),
        case(&["-h", "abc"], vec![ok(), words(&[9])], 1, "TPM result from PTM_HASH_DATA: 0x9\n"),
        case(&["-h", "abc"], vec![ok(), ok(), words(&[9])], 1, "TPM result from PTM_HASH_END: 0x9\n"),
        case(&["--info", "1"], vec![[words(&[0, 3, 3]), b"{}\0".to_vec()].concat()], 0, "{}\n"),
        case(&["--info", "0x10"], vec![[words(&[0, 3, 3]), b"{}\0".to_vec()].concat()], 0, "{}\n"),
        case(&["--info", "010"], vec![[words(&[0, 3, 3]), b"{}\0".to_vec()].concat()], 0, "{}\n"),
        case(&["--info", "1"], vec![words(&[3])], 1, "TPM result from PTM_GET_INFO: 0x3\n"),
        case(&["--info", "z"], vec![], 1, "Cannot parse info flags.\n"),
        case(&["--save", "permanent"], vec![], 1, "argument"),
        case(&["--save", "bad", "f"], vec![], 1, "Unknown TPM state type 'bad'"),
        case(&["--load", "bad", "f"], vec![], 1, "Unknown TPM state type 'bad'"),
        case(
            &["--load", "permanent", "/proc/nonexistent"],
            vec![],
            1,
            "Could not open file '/proc/nonexistent' for reading",
        ),
        case(
            &["--save", "permanent", "/proc/nonexistent/f"],
            vec![],
            1,
            "Could not open file '/proc/nonexistent/f' for writing",
        ),
        case(&["-c", "-g"], vec![], 1, "Only one command may be given.\n"),
        case(&[], vec![], 1, "No valid command.\n"),
        case(&["-z"], vec![], 1, "unrecognized option '-z'"),
        case(&["-l"], vec![], 1, "option '-l' requires an argument"),
    ]
}

#[test]
fn swtpm_ioctl_does_what_swtpms_own_does() {
    let theirs = installed("swtpm_ioctl");
    // More than one chunk of HASH_DATA.
    let input = vec![b'x'; 10_000];
    for (line, answers, status, part) in ioctl_cases() {
        let (ours, sent) = play(IOCTL, line, &answers, &input);
        let printed = format!("{}{}", ours.stdout, ours.stderr);
        assert_eq!(ours.status, Some(status), "{line:?}: {printed}");
        assert!(printed.contains(part), "{line:?}: {printed}");
        let Some(theirs) = &theirs else { continue };
        let (original, original_sent) = play(theirs, line, &answers, &input);
        assert_eq!((ours.status, &ours.stdout), (original.status, &original.stdout), "{line:?}");
        assert_eq!(sent, original_sent, "{line:?}");
    }
}

#[test]
fn a_wrong_answer_or_none_is_an_error() {
    for answers in [vec![], words(&[0]), words(&[0xa, 0])] {
        let (outcome, _) = play(IOCTL, &["-c"], &[answers, vec![]], &[]);
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert!(outcome.stdout.is_empty());
        if outcome.stderr.contains("0xa") {
            assert_eq!(outcome.stderr, "TPM result from PTM_GET_CAPABILITY: 0xa\n");
        } else {
            assert!(outcome.stderr.starts_with("Could not execute PTM_GET_CAPABILITY: "), "{outcome:?}");
        }
    }
}

#[test]
fn blobs_go_to_files_of_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("files");
    let blob = [words(&[0, 0, 5, 5]), b"hello".to_vec()].concat();
    let tools: Vec<String> = [IOCTL.to_owned()].into_iter().chain(installed("swtpm_ioctl")).collect();
    let mut requests = Vec::new();
    for (n, tool) in tools.iter().enumerate() {
        let file = folder.text(&format!("blob-{n}"));
        let (outcome, sent) = play(tool, &["--save", "permanent", &file], core::slice::from_ref(&blob), &[]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        assert_eq!(std::fs::read(&file).unwrap(), b"hello");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        // A blob that does not exist: an empty file, and no failure.
        let (outcome, _) = play(tool, &["--save", "volatile", &file], &[words(&[0x800, 0, 0, 0])], &[]);
        assert_eq!((outcome.status, std::fs::read(&file).unwrap().len()), (Some(0), 0));
        std::fs::write(&file, vec![7; 20_000]).unwrap();
        let (outcome, loaded) = play(tool, &["--load", "volatile", &file], &[words(&[0])], &[]);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        requests.push([sent, loaded].concat());
    }
    assert!(requests.iter().all(|sent| *sent == requests[0]));
    let refused = folder.text("refused");
    let (outcome, _) = play(IOCTL, &["--save", "permanent", &refused], &[words(&[0xa, 0, 0, 0])], &[]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(1), "TPM result from PTM_GET_STATEBLOB: 0xa\n"));
    assert!(!folder.at("refused").exists(), "nothing is left of a blob that did not come");
}

#[test]
fn swtpm_bios_does_what_swtpms_own_does() {
    let theirs = installed("swtpm_bios");
    let ok12 = || vec![response(0x00c4, 0, &[]); 12];
    let bad12 = || vec![response(0x00c4, 0x1e, &[]); 12];
    let mut cases: Vec<BiosCase> = Vec::new();
    let options: &[&[&str]] = &[
        &[],
        &["-c"],
        &["-s"],
        &["-d"],
        &["-n"],
        &["-o"],
        &["-cs"],
        &["-ea"],
        &["-u"],
        &["-n", "-o"],
        &["-n", "-u"],
        &["-o", "-u"],
        &["-d", "-u"],
        &["-d", "-cs"],
        &["-d", "-c", "-o"],
        &["-c", "-s", "-o"],
        &["-n", "-c"],
        &["-cs", "-u", "-ea"],
    ];
    for line in options {
        cases.push((line.to_vec(), ok12(), 0));
        let nothing_sent = line.contains(&"-n") && line.contains(&"-o");
        cases.push((line.to_vec(), bad12(), if nothing_sent { 0 } else { 128 }));
    }
    let mut mixed = ok12();
    mixed[1] = response(0x00c4, 0x1e, &[]);
    cases.push((vec![], mixed, 128));
    // The flags of a TPM that is deactivated.
    let mut flags = [0; 26];
    flags[3] = 0x16;
    flags[5] = 0x1f;
    flags[8] = 1;
    let mut deactivated = ok12();
    deactivated[3] = response(0x00c4, 0, &flags);
    cases.push((vec!["-ea", "-u", "-cs"], deactivated, 129));
    for broken in [vec![], vec![0, 0xc4, 0], b"\0\xc4\0\0\0\x0e\0\0\0\0".to_vec()] {
        cases.push((vec!["-o"], vec![broken.clone(), vec![]], 255));
        cases.push((vec!["--tpm2"], vec![broken, vec![]], 255));
    }
    for line in [&["--tpm2"][..], &["--tpm2", "-s"], &["--tpm2", "-d"], &["--tpm2", "-n"], &["--tpm2", "-cs"]] {
        cases.push((line.to_vec(), vec![response(0x8001, 0, &[]); 4], 0));
    }
    cases.push((vec!["--tpm2"], vec![response(0x8001, 0x100, &[]); 4], 128));
    cases.push((vec!["--tpm2", "-c", "extra"], vec![response(0x8001, 0x101, &[]); 4], 128));
    cases.push((vec!["-z"], vec![], 1));
    for (line, answers, status) in cases {
        let (ours, sent) = play(BIOS, &line, &answers, &[]);
        assert_eq!(ours.status, Some(status), "{line:?}: {ours:?}");
        let Some(theirs) = &theirs else { continue };
        let (original, original_sent) = play(theirs, &line, &answers, &[]);
        assert_eq!(ours.status, original.status, "{line:?}");
        assert_eq!(sent, original_sent, "{line:?}");
        if status != 1 {
            assert_eq!((&ours.stdout, &ours.stderr), (&original.stdout, &original.stderr), "{line:?}");
        }
    }
}

#[test]
fn the_platform_gets_a_random_authorization() {
    let tools: Vec<String> = [BIOS.to_owned()].into_iter().chain(installed("swtpm_bios")).collect();
    let mut sent: Vec<Vec<u8>> = Vec::new();
    for tool in tools.iter().chain([&tools[0]]) {
        let (outcome, bytes) = play(tool, &["--tpm2", "-n", "-u"], &[response(0x8001, 0, &[])], &[]);
        assert_eq!(outcome.status, Some(0));
        sent.push(bytes);
    }
    assert!(sent.iter().all(|bytes| bytes.len() == 49 && bytes[..29] == sent[0][..29]));
    assert_ne!(sent[0][29..], sent[sent.len() - 1][29..]);
}

#[test]
fn help_and_version_need_no_daemon() {
    for (tool, help, version) in [(IOCTL, "--help", "--version"), (BIOS, "-h", "-v")] {
        let outcome = run(tool, &[help], &[]);
        assert!(outcome.status == Some(0) && outcome.stdout.contains("--tcp"), "{outcome:?}");
        let outcome = run(tool, &[version], &[]);
        assert!(outcome.status == Some(0) && outcome.stdout.starts_with("TPM emulator "), "{outcome:?}");
    }
    let outcome = run(IOCTL, &["-c", "/dev/null"], &[]);
    assert!(outcome.status == Some(1) && outcome.stderr.contains("ioctl"), "{outcome:?}");
    assert_eq!(run(IOCTL, &["-c", "--unix", "/proc/nonexistent"], &[]).status, Some(1));
    assert_eq!(run(BIOS, &["--unix", "/proc/nonexistent"], &[]).status, Some(255));
    assert_eq!(run(BIOS, &["--tpm-device", "/proc/nonexistent"], &[]).status, Some(255));
}
