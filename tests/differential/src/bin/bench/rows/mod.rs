//! What is measured: for each row the objects it needs and the command it repeats.

mod cheap;
mod flows;
mod keys;
pub(crate) mod limits;
mod manufacture;
mod newest;
mod nv;
mod reasons;
mod whole;

use crate::measure::{Sample, Side};
use core::time::Duration;
use sealwright_differential::codes::*;
use sealwright_differential::daemon::{Daemon, Setting, new_folder};
use sealwright_differential::session::{self, Use, password};
use sealwright_differential::template::*;
use sealwright_differential::tpm::{Call, Tpm};
use sealwright_differential::wire::{In, Out};
use std::path::PathBuf;
use std::time::Instant;

/// One measured repetition: gives its time, or the response code that it should not have got.
type Repeat = Box<dyn FnMut(&mut Tpm, usize) -> Result<Duration, u32>>;

/// What is repeated where no daemon is running yet.
type Whatever = Box<dyn FnMut(usize) -> Result<Sample, String>>;

/// Prepares it.
type Whole = fn(&Side) -> Result<Whatever, String>;

/// A folder that is removed with everything in it.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a row does.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Commands to a running daemon.
    Command(fn(&mut Tpm) -> Repeat),
    /// Something with whole daemons.
    Whole(Whole),
}

/// What is held against the aim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// The ratio of the medians.
    Median,
    /// The ratio of the mean processor times: where each repetition makes another key.
    Cpu,
    /// The left median itself, in microseconds: where there is nothing to compare with.
    Absolute,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) repetitions: usize,
    /// What we want to reach at most, if anything was set; `gate` says what it is measured by.
    pub(crate) aim: Option<f64>,
    pub(crate) gate: Gate,
    /// vtpmd syncs its commits, as it does by default.
    pub(crate) synced: bool,
    pub(crate) work: Work,
}

impl Row {
    const fn aim(mut self, aim: f64) -> Self {
        self.aim = Some(aim);
        self
    }
    const fn by_cpu(mut self) -> Self {
        self.gate = Gate::Cpu;
        self
    }
    const fn absolute(mut self) -> Self {
        self.gate = Gate::Absolute;
        self
    }
    const fn synced(mut self) -> Self {
        self.synced = true;
        self
    }

    /// The newest libtpms's median over that of 0.9.2, where it is known.
    pub(crate) fn newest(&self) -> Option<f64> {
        newest::ratio(self.name)
    }

    /// Why this row may be above its aim, where somebody has found out.
    pub(crate) fn reason(&self) -> Option<&'static str> {
        reasons::of(self.name)
    }
}

const fn row(name: &'static str, repetitions: usize, prepare: fn(&mut Tpm) -> Repeat) -> Row {
    Row { name, repetitions, aim: None, gate: Gate::Median, synced: false, work: Work::Command(prepare) }
}

const fn whole(name: &'static str, repetitions: usize, prepare: Whole) -> Row {
    Row { name, repetitions, aim: None, gate: Gate::Median, synced: false, work: Work::Whole(prepare) }
}

/// Rows that stand together in tables and in the chart.
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) rows: &'static [Row],
}

/// All rows in their order.
pub(crate) const GROUPS: &[Group] = &[
    Group { title: "Cheap commands", rows: cheap::ROWS },
    Group { title: "NV", rows: nv::ROWS },
    Group { title: "Sessions, policies, flows", rows: flows::ROWS },
    Group { title: "Elliptic curves", rows: keys::ECC_ROWS },
    Group { title: "RSA", rows: keys::RSA_ROWS },
    Group { title: "Whole daemons", rows: whole::ROWS },
    Group { title: "Manufacture", rows: manufacture::ROWS },
    Group { title: "Limits", rows: limits::ROWS },
];

/// A command with passwords.
fn command(name: &'static str, handles: &[u32], auths: &[&[u8]], parameters: Out) -> Vec<u8> {
    let uses: Vec<_> = auths.iter().map(|a| password(a)).collect();
    sealwright_differential::tpm::marshal(&Call { name, handles: handles.to_vec(), uses, parameters: parameters.0 })
}

/// Sends one command and takes its time.
fn sent(t: &mut Tpm, bytes: &[u8]) -> Result<(Duration, Vec<u8>), u32> {
    let begin = Instant::now();
    let response = t.daemon.execute(bytes).map_err(|_| u32::MAX)?;
    let time = begin.elapsed();
    match In(response.get(6..).unwrap_or(&[])).u32().unwrap_or(u32::MAX) {
        0 => Ok((time, response)),
        rc => Err(rc),
    }
}

/// The handle in a response.
fn handle(response: &[u8]) -> u32 {
    In(response.get(10..).unwrap_or(&[])).u32().unwrap_or(0)
}

/// Removes an object or session, outside of the time.
fn flush(t: &mut Tpm, handle: u32) {
    t.quiet(&command("FlushContext", &[], &[], Out::new().u32(handle)));
}

/// Sends one command and takes its time; a handle in the response is flushed outside the time.
fn timed(t: &mut Tpm, bytes: &[u8]) -> Result<Duration, u32> {
    let (time, response) = sent(t, bytes)?;
    let code = In(bytes.get(6..).unwrap_or(&[])).u32().unwrap_or(0);
    if sealwright_differential::table::commands().get(&code).is_some_and(|c| c.response_handle) {
        flush(t, handle(&response));
    }
    Ok(time)
}

/// Repeats one command.
fn same(name: &'static str, handles: &[u32], auths: &[&[u8]], parameters: Out) -> Repeat {
    let bytes = command(name, handles, auths, parameters);
    Box::new(move |t, _| timed(t, &bytes))
}

/// A command with sessions. The time is that of the daemon's answer: the caller's cryptography is outside of it.
struct Authorized {
    name: &'static str,
    handles: Vec<u32>,
    names: Vec<Vec<u8>>,
    uses: Vec<Use>,
    parameters: Out,
}

impl Authorized {
    fn send(&self, t: &mut Tpm) -> Result<Duration, u32> {
        let known = &sealwright_differential::table::commands();
        let code = sealwright_differential::table::code(self.name);
        let authorized = known.get(&code).map_or(0, |c| c.authorizations());
        let mut parameters = self.parameters.0.clone();
        let random = &mut t.random;
        let (area, pending) =
            session::authorize(&t.sessions, code, &self.names, authorized, &self.uses, &mut parameters, |n| {
                random.bytes(n)
            });
        let handles = self.handles.iter().fold(Out::new(), |out, handle| out.u32(*handle));
        let body = handles.u32(area.len() as u32).raw(&area).raw(&parameters);
        let bytes = Out::new().u16(ST_SESSIONS).u32(body.0.len() as u32 + 10).u32(code).raw(&body.0).0;
        let (time, response) = sent(t, &bytes)?;
        let mut input = In(response.get(10..).unwrap_or(&[]));
        let size = input.u32().unwrap_or(0) as usize;
        let mut answer = input.raw(size).unwrap_or_default().to_vec();
        let faults = session::check(&mut t.sessions, &pending, code, &mut answer, input.0);
        if faults.is_empty() { Ok(time) } else { Err(u32::MAX) }
    }
}

fn primary(t: &mut Tpm, public: &[u8]) -> u32 {
    t.plain("primary", "CreatePrimary", &[RH_OWNER], &[b""], create(b"", b"", public)).handle
}

/// The parent, and a new child's private and public areas.
fn made(t: &mut Tpm, public: &[u8], data: &[u8]) -> (u32, Vec<u8>) {
    let parent = primary(t, &storage_parent());
    let reply = t.plain("child", "Create", &[parent], &[b""], create(b"", data, public));
    (parent, Out::new().sized(&reply.sized(0)).sized(&reply.sized(1)).0)
}

/// A loaded child; its parent is gone again.
fn key(t: &mut Tpm, public: &[u8], data: &[u8]) -> u32 {
    let (parent, both) = made(t, public, data);
    let handle = t.plain("load", "Load", &[parent], &[b""], Out::new().raw(&both)).handle;
    t.flush(parent);
    handle
}

fn sealed(policy: &[u8]) -> Vec<u8> {
    let with_auth = if policy.is_empty() { USER_WITH_AUTH } else { 0 };
    keyed_hash(FIXED_TPM | FIXED_PARENT | with_auth | NO_DA, null(), policy)
}

fn rsa_signing(bits: u16) -> Vec<u8> {
    rsa(SIGNING, null(), null(), bits)
}

fn ecc_signing(curve: u16) -> Vec<u8> {
    ecc(SIGNING, null(), null(), curve)
}

/// The PCR of a boot: 8 of SHA-256.
fn eight() -> Vec<u8> {
    pcrs(SHA256, [0xFF, 0, 0]).0
}

fn banks(algs: &[u16]) -> Out {
    algs.iter().fold(Out::new().u32(algs.len() as u32), |p, a| p.u16(*a).raw(&vec![7; digest_size(*a)]))
}

const FOUR_BANKS: [u16; 4] = [SHA1, SHA256, SHA384, SHA512];
