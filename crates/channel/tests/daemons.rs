//! The tools and swtpm's own on real daemons: swtpm where it is installed, and the vtpmd that VTPMD names. All four pairs
//! go through the same life of a TPM and print the same.

mod common;

use common::{BIOS, Daemon, Folder, IOCTL, installed, run};

/// TPM2_PCR_Extend of PCR 10, by way of the data socket.
fn extend(folder: &Folder) {
    use sealwright_channel::{Address, Data};
    let mut data = Data::new(Address::Unix(folder.at("data")).connect().unwrap(), None).unwrap();
    let command = [
        &[0x80, 2, 0, 0, 0, 65, 0, 0, 1, 0x82, 0, 0, 0, 10, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0][..],
        &[0, 0, 0, 1, 0, 0x0b],
        &[9; 32],
    ]
    .concat();
    assert_eq!(data.transmit(&command).unwrap()[6..10], [0; 4]);
}

/// PCR 10.
fn pcr(folder: &Folder) -> Vec<u8> {
    use sealwright_channel::{Address, Data};
    let mut data = Data::new(Address::Unix(folder.at("data")).connect().unwrap(), None).unwrap();
    let command = [0x80, 1, 0, 0, 0, 20, 0, 0, 1, 0x7e, 0, 0, 0, 1, 0, 0x0b, 3, 0, 4, 0];
    let response = data.transmit(&command).unwrap();
    response[response.len() - 32..].to_vec()
}

/// A life of a TPM; what was printed, and with which exit status, step by step.
fn life(daemon: &str, ioctl: &str, bios: &str, blobs: &str) -> Vec<(String, Option<i32>, String)> {
    let folder = Folder::new("life");
    let extra = ["--migration", blobs];
    let extra = if blobs.is_empty() { &[][..] } else { &extra };
    let mut running = Daemon::start(daemon, &folder, extra);
    let (ctrl, data) = (folder.text("ctrl"), folder.text("data"));
    let mut log = Vec::new();
    let mut step = |tool: &str, socket: &str, words: &[&str], input: &[u8]| {
        let line: Vec<&str> = ["--unix", socket].into_iter().chain(words.iter().copied()).collect();
        let outcome = run(tool, &line, input);
        let shown: Vec<&str> = words.iter().filter(|word| !word.starts_with('/')).copied().collect();
        log.push((shown.join(" "), outcome.status, outcome.stdout.clone()));
    };
    let files = [folder.text("permanent"), folder.text("volatile"), folder.text("savestate")];
    step(ioctl, &ctrl, &["-c"], &[]);
    step(ioctl, &ctrl, &["-e"], &[]);
    step(ioctl, &ctrl, &["--save", "permanent", &files[0]], &[]);
    step(ioctl, &ctrl, &["-i"], &[]);
    step(ioctl, &ctrl, &["-b", "4096"], &[]);
    step(ioctl, &ctrl, &["-h", "-"], &vec![b'm'; 9000]);
    step(ioctl, &ctrl, &["-e"], &[]);
    step(bios, &data, &["--tpm2", "-cs"], &[]);
    step(bios, &data, &["--tpm2"], &[]);
    step(ioctl, &ctrl, &["-l", "3"], &[]);
    step(ioctl, &ctrl, &["-r", "3"], &[]);
    step(ioctl, &ctrl, &["-e"], &[]);
    step(ioctl, &ctrl, &["-r", "0"], &[]);
    step(ioctl, &ctrl, &["-l", "0"], &[]);
    step(ioctl, &ctrl, &["-g"], &[]);
    step(ioctl, &ctrl, &["-C"], &[]);
    step(ioctl, &ctrl, &["--info", "1"], &[]);
    extend(&folder);
    let extended = pcr(&folder);
    step(ioctl, &ctrl, &["-v"], &[]);
    for (kind, file) in ["permanent", "volatile", "savestate"].iter().zip(&files) {
        step(ioctl, &ctrl, &["--save", kind, file], &[]);
    }
    step(ioctl, &ctrl, &["--load", "permanent", &files[0]], &[]);
    step(ioctl, &ctrl, &["--stop"], &[]);
    step(ioctl, &ctrl, &["--load", "permanent", &files[0]], &[]);
    step(ioctl, &ctrl, &["--load", "volatile", &files[1]], &[]);
    step(ioctl, &ctrl, &["--load", "volatile", &files[2]], &[]);
    step(ioctl, &ctrl, &["--load", "permanent", &files[0]], &[]);
    step(ioctl, &ctrl, &["--load", "volatile", &files[1]], &[]);
    step(ioctl, &ctrl, &["-i"], &[]);
    assert_eq!(pcr(&folder), extended, "{daemon} with {ioctl}: the volatile state was continued");
    step(bios, &data, &["--tpm2", "-n", "-u"], &[]);
    step(bios, &data, &["--tpm2", "-n", "-u"], &[]);
    step(ioctl, &ctrl, &["-s"], &[]);
    assert!(running.ended(), "{daemon}");
    log
}

#[test]
fn every_tool_works_with_every_daemon() {
    let mut daemons: Vec<(String, &str)> = installed("swtpm").map(|swtpm| (swtpm, "")).into_iter().collect();
    match std::env::var("VTPMD") {
        Ok(vtpmd) => daemons.extend([(vtpmd.clone(), ""), (vtpmd, "blobs=swtpm")]),
        Err(_) => eprintln!("VTPMD names no vtpmd: that part is skipped"),
    }
    let theirs = installed("swtpm_ioctl").zip(installed("swtpm_bios"));
    for (daemon, blobs) in daemons {
        let log = life(&daemon, IOCTL, BIOS, blobs);
        let status =
            |line: &str| log.iter().filter(|(words, ..)| words == line).map(|(_, s, _)| *s).collect::<Vec<_>>();
        assert_eq!(status("-i"), [Some(0); 2], "{log:?}");
        assert_eq!(status("--load permanent"), [Some(1), Some(0), Some(0)], "{log:?}");
        assert_eq!(status("--tpm2 -n -u"), [Some(0), Some(128)], "the authorization is set; {log:?}");
        assert_eq!(status("--save savestate"), [Some(0)], "{log:?}");
        if let Some((ioctl, bios)) = &theirs {
            assert_eq!(log, life(&daemon, ioctl, bios, blobs), "{daemon}");
        }
    }
}
