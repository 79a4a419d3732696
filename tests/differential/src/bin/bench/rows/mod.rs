//! What is measured: for each row the objects it needs and the command it repeats.

mod cheap;
mod flows;
mod keys;
mod nv;
mod whole;

use crate::measure::{Sample, Side};
use core::time::Duration;
use sealwright_differential::codes::*;
use sealwright_differential::session::{self, Use, password};
use sealwright_differential::template::*;
use sealwright_differential::tpm::{Call, Tpm};
use sealwright_differential::wire::{In, Out};
use std::time::Instant;

/// One measured repetition: gives its time, or the response code that it should not have got.
type Repeat = Box<dyn FnMut(&mut Tpm, usize) -> Result<Duration, u32>>;

/// Prepares what a daemon is not running yet for.
type Whole = fn(&Side) -> Result<Box<dyn FnMut(usize) -> Result<Sample, String>>, String>;

/// What a row does.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Commands to a running daemon.
    Command(fn(&mut Tpm) -> Repeat),
    /// Something with whole daemons.
    Whole(Whole),
}

/// The ratio that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Of the medians.
    Median,
    /// Of the mean processor times: where each repetition makes another key.
    Cpu,
}

/// A row of the table.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) repetitions: usize,
    /// The ratio that we want to reach, if one was set.
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
    const fn synced(mut self) -> Self {
        self.synced = true;
        self
    }
}

const fn row(name: &'static str, repetitions: usize, prepare: fn(&mut Tpm) -> Repeat) -> Row {
    Row { name, repetitions, aim: None, gate: Gate::Median, synced: false, work: Work::Command(prepare) }
}

const fn whole(name: &'static str, repetitions: usize, prepare: Whole) -> Row {
    Row { name, repetitions, aim: None, gate: Gate::Median, synced: false, work: Work::Whole(prepare) }
}

/// All rows in their order.
pub(crate) fn all() -> impl Iterator<Item = &'static Row> {
    [cheap::ROWS, nv::ROWS, flows::ROWS, keys::ROWS, whole::ROWS].into_iter().flatten()
}

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
