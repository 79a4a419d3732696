//! Start, migration and memory of whole daemons.

use super::*;
use crate::measure::{cpu_time, micros};
use sealwright_differential::daemon::Machine;
use std::path::Path;

fn folder() -> Result<Folder, String> {
    new_folder().map(Folder).map_err(|e| e.to_string())
}

/// Starts a daemon on a folder and waits for its first answer; gives the daemon and the time since before the start.
fn start(side: &Side, folder: &Path, arguments: &[String]) -> Result<(Daemon, Duration), String> {
    let setting = Setting {
        folder: Some(folder.to_owned()),
        state: side.state.clone(),
        arguments: arguments.to_vec(),
        quiet: true,
        handed: true,
    };
    let failed = |e: std::io::Error| format!("{}: {e}", side.command);
    let begin = Instant::now();
    let mut daemon = Daemon::start_with(&side.command, &setting).map_err(failed)?;
    let powered = daemon.power_on().map_err(failed)?;
    let response = daemon.execute(&command("Startup", &[], &[], Out::new().u16(0))).map_err(failed)?;
    let time = begin.elapsed();
    if powered != 0 || response.get(6..10) != Some(&[0; 4]) {
        return Err("the TPM did not start".into());
    }
    Ok((daemon, time))
}

/// Ends a daemon as a VM manager does, with its state in order.
fn end(mut daemon: Daemon) -> Result<(), String> {
    let down = daemon.execute(&command("Shutdown", &[], &[], Out::new().u16(0)));
    down.and_then(|_| daemon.power_off()).map(drop).map_err(|e| e.to_string())
}

fn key_file(folder: &Path) -> Result<Vec<String>, String> {
    let path = folder.join("key");
    std::fs::write(&path, [0x5A; 32]).map_err(|e| e.to_string())?;
    Ok(vec!["--key".into(), format!("file={},format=binary,mode=aes-256-cbc", path.display())])
}

/// Starts with no state.
fn fresh(side: &Side) -> Result<Whatever, String> {
    let side = side.clone();
    Ok(Box::new(move |_| {
        let folder = folder()?;
        let (daemon, time) = start(&side, &folder.0, &[])?;
        Ok(Sample { value: micros(time), cpu: cpu_time(daemon.id()) })
    }))
}

fn again(side: &Side, encrypted: bool) -> Result<Whatever, String> {
    let (side, folder) = (side.clone(), folder()?);
    let arguments = if encrypted { key_file(&folder.0)? } else { Vec::new() };
    end(start(&side, &folder.0, &arguments)?.0)?;
    Ok(Box::new(move |_| {
        let (daemon, time) = start(&side, &folder.0, &arguments)?;
        let cpu = cpu_time(daemon.id());
        end(daemon)?;
        Ok(Sample { value: micros(time), cpu })
    }))
}

/// GET_STATEBLOB of one kind, whole.
fn blob(daemon: &mut Daemon, kind: u32) -> Result<Vec<u8>, String> {
    let failed = |e: std::io::Error| e.to_string();
    let head = daemon.control(&Out::new().u32(0x0C).u32(1).u32(kind).u32(0).0, 16).map_err(failed)?;
    let mut input = In(&head);
    if input.u32() != Some(0) {
        return Err(format!("GET_STATEBLOB of kind {kind} failed"));
    }
    let (_flags, total, length) = (input.u32(), input.u32().unwrap_or(0), input.u32().unwrap_or(0));
    if total != length {
        return Err("a state blob came in pieces".into());
    }
    daemon.control_data(length as usize).map_err(failed)
}

fn set_blob(daemon: &mut Daemon, kind: u32, blob: &[u8]) -> Result<(), String> {
    let request = Out::new().u32(0x0D).u32(0).u32(kind).u32(blob.len() as u32).raw(blob).0;
    match daemon.control(&request, 4) {
        Ok(result) if result == [0; 4] => Ok(()),
        other => Err(format!("SET_STATEBLOB of kind {kind}: {other:x?}")),
    }
}

fn run(daemon: &mut Daemon, bytes: &[u8]) -> Result<Vec<u8>, String> {
    let response = daemon.execute(bytes).map_err(|e| e.to_string())?;
    if response.get(6..10) == Some(&[0; 4]) { Ok(response) } else { Err(format!("a command failed: {response:x?}")) }
}

/// Takes the state out of a daemon that has a key, a session and an NV index, and puts it into another one.
fn moved(side: &Side) -> Result<Whatever, String> {
    let side = side.clone();
    Ok(Box::new(move |_| {
        let (one, two) = (folder()?, folder()?);
        let (mut from, _) = start(&side, &one.0, &[])?;
        let (mut to, _) = start(&side, &two.0, &[])?;
        let parameters = create(b"", b"", &storage_parent());
        let key = handle(&run(&mut from, &command("CreatePrimary", &[RH_OWNER], &[b""], parameters))?);
        let session = Out::new().sized(&[1; 16]).sized(&[]).u8(SE_HMAC).u16(NULL).u16(SHA256);
        run(&mut from, &command("StartAuthSession", &[RH_NULL, RH_NULL], &[], session))?;
        let index = Out::new().u32(0x0150_0000).u16(SHA256).u32(NV_OWNERWRITE | NV_OWNERREAD).sized(&[]).u16(32);
        let parameters = Out::new().sized(b"").sized(&index.0);
        run(&mut from, &command("NV_DefineSpace", &[RH_OWNER], &[b""], parameters))?;
        let read = command("ReadPublic", &[key], &[], Out::new());
        let public = run(&mut from, &read)?;
        let before = cpu_time(from.id()) + cpu_time(to.id());

        let begin = Instant::now();
        let blobs = [blob(&mut from, 1)?, blob(&mut from, 2)?];
        let off = to.power_off().map_err(|e| e.to_string())?;
        set_blob(&mut to, 1, &blobs[0])?;
        set_blob(&mut to, 2, &blobs[1])?;
        let on = to.power_on().map_err(|e| e.to_string())?;
        let time = begin.elapsed();

        let cpu = cpu_time(from.id()) + cpu_time(to.id()) - before;
        if off != 0 || on != 0 || run(&mut to, &read)? != public {
            return Err("the state did not arrive".into());
        }
        Ok(Sample { value: micros(time), cpu })
    }))
}

/// A number of `/proc/PID/smaps_rollup` in KiB.
fn memory(pid: u32, key: &str) -> Result<f64, String> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).map_err(|e| e.to_string())?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok()).ok_or_else(|| format!("no {key} of {pid}"))
}

/// Commands of many kinds, as a guest sends in an hour.
fn exercise(daemon: &mut Daemon, count: usize) -> Result<(), String> {
    let cheap = [
        command("GetRandom", &[], &[], Out::new().u16(32)),
        command("PCR_Read", &[], &[], Out::new().raw(&eight())),
        command("PCR_Extend", &[16], &[b""], banks(&FOUR_BANKS)),
        command("GetCapability", &[], &[], Out::new().u32(6).u32(0x100).u32(64)),
    ];
    let primary = command("CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", &storage_parent()));
    for i in 0..count {
        if i % 50 == 0 {
            let key = handle(&run(daemon, &primary)?);
            run(daemon, &command("FlushContext", &[], &[], Out::new().u32(key)))?;
        } else {
            run(daemon, &cheap[i % cheap.len()])?;
        }
    }
    Ok(())
}

/// Memory of one process after 1000 commands. A value is KiB.
fn resident(side: &Side) -> Result<Whatever, String> {
    let side = side.clone();
    Ok(Box::new(move |_| {
        let folder = folder()?;
        let (mut daemon, _) = start(&side, &folder.0, &[])?;
        exercise(&mut daemon, 1000)?;
        Ok(Sample { value: memory(daemon.id(), "Rss")?, cpu: 0.0 })
    }))
}

/// Proportional memory of each of 100 processes. A value is KiB.
fn proportional(side: &Side) -> Result<Whatever, String> {
    let side = side.clone();
    Ok(Box::new(move |_| {
        let mut all = Vec::new();
        for _ in 0..100 {
            let folder = folder()?;
            let (mut daemon, _) = start(&side, &folder.0, &[])?;
            exercise(&mut daemon, 10)?;
            all.push((daemon, folder));
        }
        let sum = all.iter().map(|(daemon, _)| memory(daemon.id(), "Pss")).sum::<Result<f64, String>>()?;
        Ok(Sample { value: sum / all.len() as f64, cpu: 0.0 })
    }))
}

pub(super) const ROWS: &[Row] = &[
    whole("start to answered Startup, no state", 25, fresh).aim(0.35),
    whole("start to answered Startup, with state", 25, |side| again(side, false)).aim(0.35),
    whole("start to answered Startup, encrypted state", 25, |side| again(side, true)).aim(0.35),
    whole("start to answered Startup, no state, vtpmd synced", 25, fresh).synced(),
    whole("start to answered Startup, with state, vtpmd synced", 25, |side| again(side, false)).synced(),
    whole("state save and restore", 25, moved).aim(0.50),
    whole("state save and restore, vtpmd synced", 10, moved).synced(),
    whole("RSS after 1000 commands, KiB", 3, resident).aim(0.50),
    whole("PSS of each of 100, KiB", 3, proportional).aim(0.50),
];
