//! Anchors: what the host's TPM remembers of the newest state of a VM, so that an older one is refused although the whole
//! disk was put back.
//!
//! An NV Index of a TPM is slow to write and wears out, so it is told of the first and the last generation of each writer
//! ([`Pace::Writer`]), and between them as often as the address says. Who has the value of `auth-file=` can write it; who
//! has the owner's password can remove it, which is noticed, as a state that it does not know is refused.

use core::time::Duration;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use sealwright_state::anchor::{Anchor, Pace};
use sealwright_state::{Digest, Kind, Mark, StateError, VmId};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::address::{Address, AddressFault};
use crate::failure::{Failure, Sort as FailureSort};
use crate::tpm::session::{Code, Entity, Hidden, Session, Sort, plain};
use crate::tpm::transport::Transport;
use crate::tpm::wire::constant::{ALG_SHA256, RH_NULL, RH_OWNER};
use crate::tpm::wire::{In, Out, cut};
use crate::tpm::{Parent, auth_value, device, handle_option, name_of, with_key};

/// What the Index holds begins so: a name, and the version.
const MAGIC: [u8; 4] = *b"SWA\x01";
/// Magic number, kind, three zeros, epoch, sequence, digest, digest of the VM's name, checksum.
const SIZE: u16 = 4 + 4 + 8 + 8 + 32 + 32 + 8;
const CHECKSUM: usize = 8;
/// TPMA_NV_AUTHWRITE, TPMA_NV_OWNERREAD, TPMA_NV_AUTHREAD of an ordinary Index (Part 2, 13.4).
const ATTRIBUTES: u32 = 1 << 2 | 1 << 17 | 1 << 18;
/// TPMA_NV_NO_DA: no protection against guessing, where there is nothing to guess.
const NO_DA: u32 = 1 << 25;
/// TPMA_NV_WRITTEN.
const WRITTEN: u32 = 1 << 29;
/// The shortest time between two writes that may be asked for: what a TPM may stand for ten years is one in an hour.
const LEAST_INTERVAL: u32 = 60;

/// The anchor that `address` names: `tpm:/dev/tpmrm0?index=0x01800100`. The TPM is not asked yet.
pub fn open_anchor(address: &str) -> Result<Box<dyn Anchor>, AddressFault> {
    let mut address = Address::parse(address)?;
    if address.scheme != "tpm" {
        return Err(
            address.fault("names no anchor; tpm:/dev/tpmrm0?index=0x01800100 does, and so does the path of a file")
        );
    }
    let path = device(&address)?;
    let index = handle_option(&mut address, "index", (0x01, "NV Index", "0x01800100"))?;
    let index = index.ok_or_else(|| {
        address.fault("does not say which NV Index: give each VM one of its own, as index=0x01800100")
    })?;
    let (auth, owner_auth) = (address.take_path("auth-file"), address.take_path("owner-auth-file"));
    let interval = match address.take_number("interval")? {
        Some(seconds) if seconds < LEAST_INTERVAL => {
            return Err(address.fault(format!(
                "has interval={seconds}; it is a number of seconds from {LEAST_INTERVAL} on, as each write wears the TPM's memory"
            )));
        }
        interval => interval.map(|seconds| Duration::from_secs(seconds.into())),
    };
    let timeout = address.take_timeout()?;
    address.finish()?;
    Ok(Box::new(TpmAnchor {
        path,
        timeout,
        index,
        auth,
        owner_auth,
        interval,
        held: None,
        once: false,
        keep: false,
        seen: false,
    }))
}

/// An NV Index that remembers one state.
struct TpmAnchor {
    path: PathBuf,
    timeout: Duration,
    index: u32,
    auth: Option<PathBuf>,
    owner_auth: Option<PathBuf>,
    interval: Option<Duration>,
    /// The TPM, once it must stay open.
    held: Option<Transport>,
    /// It must stay open, and cannot be opened again: what gives up the right to connect sockets says so.
    once: bool,
    /// It stays open from now on.
    keep: bool,
    /// It was there and knew the state.
    seen: bool,
}

/// The public area of the Index.
struct Public {
    name: Vec<u8>,
    attributes: u32,
}

fn encode(vm: &VmId, kind: Kind, mark: Mark) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.extend([kind as u8, 0, 0, 0]);
    out.extend(mark.epoch.to_be_bytes());
    out.extend(mark.sequence.to_be_bytes());
    out.extend(mark.digest.0);
    out.extend(Digest::of(&[vm.as_str().as_bytes()]).0);
    let sum = <Sha256 as sha2::Digest>::digest(&out);
    out.extend(sum.iter().take(CHECKSUM));
    out
}

/// The mark in the content of an Index, if it is of this VM and kind.
fn decode(bytes: &[u8], vm: &VmId, kind: Kind) -> Result<Mark, Failure> {
    let damaged = || Failure::damaged("what it holds is no anchor, or was cut off while it was written");
    let (content, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(damaged)?;
    let right = <Sha256 as sha2::Digest>::digest(content);
    if !content.starts_with(&MAGIC) || right.first_chunk() != Some(sum) {
        return Err(damaged());
    }
    let mut rest = In(content.get(MAGIC.len()..).unwrap_or_default());
    let fields = (rest.array::<4>(), rest.array(), rest.array(), rest.array(), rest.array());
    let (Some([found, ..]), Some(epoch), Some(sequence), Some(digest), Some(of)) = fields else {
        return Err(damaged());
    };
    if Digest(of) != Digest::of(&[vm.as_str().as_bytes()]) || found != kind as u8 {
        let why = format!(
            "it remembers another state than the {kind} state of VM {vm}; give each state an NV Index of its own"
        );
        return Err(Failure::wrong_key(why));
    }
    Ok(Mark { sequence: u64::from_be_bytes(sequence), digest: Digest(digest), epoch: u64::from_be_bytes(epoch) })
}

impl TpmAnchor {
    fn fault(&self, failure: &Failure) -> StateError {
        StateError::Anchor { anchor: self.name(), why: failure.to_string() }
    }

    fn no_da(&self) -> u32 {
        if self.auth.is_some() { 0 } else { NO_DA }
    }

    /// The value that the Index wants to hear.
    fn auth(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.auth.as_ref().map_or_else(|| Ok(Zeroizing::default()), |path| auth_value(path))
    }

    fn owner_auth(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        self.owner_auth.as_ref().map_or_else(
            || Ok(Zeroizing::default()),
            |path| Ok(crate::tpm::without_zeros(crate::secret::Secret::read_file(path)?.line().to_vec())),
        )
    }

    /// Does some work with the TPM. Sessions are salted with a key of the hierarchy that has no password.
    fn work<T>(
        &mut self,
        work: impl FnOnce(&Self, &Transport, &Parent) -> Result<T, Failure>,
    ) -> Result<T, StateError> {
        let opened = match self.held.take() {
            Some(held) => Ok((held, true)),
            None if self.once => Err(Failure::unavailable(
                "the connection to it was lost, and this process has shut itself off from making another one; start it again",
            )),
            None => Transport::open(&self.path, self.timeout).map(|transport| (transport, self.keep)),
        };
        let done = opened.and_then(|(transport, hold)| {
            let done = with_key(&transport, RH_NULL, |transport, key| work(self, transport, key));
            // What does not answer is opened anew the next time.
            let is_broken =
                done.as_ref().is_err_and(|f| matches!(f.sort, FailureSort::Unavailable | FailureSort::Timeout(_)));
            if hold && !is_broken {
                self.held = Some(transport);
            }
            done
        });
        done.map_err(|failure| self.fault(&failure))
    }

    /// TPM2_NV_ReadPublic (Part 3, 31.6); `None` if there is no such Index.
    fn public(&self, transport: &Transport) -> Result<Option<Public>, Failure> {
        let answer = match plain(transport, Code::NvReadPublic, &[self.index], &[]) {
            Err(failure) if failure.sort == FailureSort::NotFound => return Ok(None),
            answer => answer?,
        };
        let area = In(&answer).sized().ok_or_else(cut)?;
        let mut rest = In(area);
        let (index, algorithm) = (rest.u32().ok_or_else(cut)?, rest.u16().ok_or_else(cut)?);
        let attributes = rest.u32().ok_or_else(cut)?;
        let policy = rest.sized().ok_or_else(cut)?;
        let size = rest.u16().ok_or_else(cut)?;
        let is_ours = index == self.index
            && algorithm == ALG_SHA256
            && attributes & !WRITTEN == ATTRIBUTES | self.no_da()
            && policy.is_empty()
            && size == SIZE;
        if is_ours {
            return Ok(Some(Public { name: name_of(area), attributes }));
        }
        Err(Failure::unusable(
            "this NV Index is something else than an anchor, or was made with another setting of auth-file=; take another one, or \
             remove it if nothing needs it (tpm2_nvundefine)",
        ))
    }

    /// TPM2_NV_DefineSpace (Part 3, 31.3).
    fn define(&self, transport: &Transport, key: &Parent) -> Result<(), Failure> {
        let (auth, owner) = (self.auth()?, self.owner_auth()?);
        let public = Out::new().u32(self.index).u16(ALG_SHA256).u32(ATTRIBUTES | self.no_da()).sized(&[]).u16(SIZE);
        let parameters = Out::new().sized(&auth).sized(&public.0);
        let session = Session::start(transport, key.handle, &key.point, Sort::Hmac)?;
        let entity = Entity { handle: RH_OWNER, name: &RH_OWNER.to_be_bytes(), auth: &owner };
        session.run(transport, Code::NvDefineSpace, &[entity], &parameters.0, Some(Hidden::Command), 0).map(|_| ())
    }

    /// A command on the Index, authorized by its own value.
    fn access(
        &self,
        transport: &Transport,
        key: &Parent,
        public: &Public,
        code: Code,
        parameters: &Out,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let auth = self.auth()?;
        let session = Session::start(transport, key.handle, &key.point, Sort::Hmac)?;
        let entity = || Entity { handle: self.index, name: &public.name, auth: &auth };
        session.run(transport, code, &[entity(), entity()], &parameters.0, None, 0).map(|(_, answer)| answer)
    }

    /// TPM2_NV_Read (Part 3, 31.13); `None` if there is nothing.
    fn content(&self, transport: &Transport, key: &Parent) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let Some(public) = self.public(transport)?.filter(|public| public.attributes & WRITTEN != 0) else {
            return Ok(None);
        };
        let answer = self.access(transport, key, &public, Code::NvRead, &Out::new().u16(SIZE).u16(0))?;
        Ok(Some(Zeroizing::new(In(&answer).sized().ok_or_else(cut)?.to_vec())))
    }
}

impl Anchor for TpmAnchor {
    fn name(&self) -> String {
        format!("the anchor in the NV Index {:#010x} of the TPM {}", self.index, self.path.display())
    }

    fn read(&mut self, vm: &VmId, kind: Kind) -> Result<Option<Mark>, StateError> {
        let mark = self.work(|anchor, transport, key| {
            let content = anchor.content(transport, key)?;
            content.map(|content| decode(&content, vm, kind)).transpose()
        })?;
        self.seen |= mark.is_some();
        Ok(mark)
    }

    fn advance(&mut self, vm: &VmId, kind: Kind, mark: Mark) -> Result<(), StateError> {
        let content = encode(vm, kind, mark);
        self.work(|anchor, transport, key| {
            let public = match anchor.public(transport)? {
                Some(public) => public,
                None if anchor.seen => {
                    return Err(Failure::not_found("it was removed, or the TPM cleared, while the state was in use"));
                }
                None => {
                    anchor.define(transport, key)?;
                    anchor.public(transport)?.ok_or_else(cut)?
                }
            };
            // TPM2_NV_Write (Part 3, 31.7).
            anchor.access(transport, key, &public, Code::NvWrite, &Out::new().sized(&content).u16(0)).map(|_| ())
        })?;
        self.seen = true;
        Ok(())
    }

    fn forget(&mut self, vm: &VmId, kind: Kind) -> Result<(), StateError> {
        self.work(|anchor, transport, key| {
            let Some(public) = anchor.public(transport)? else { return Ok(()) };
            if let Some(content) = anchor.content(transport, key)? {
                decode(&content, vm, kind)?;
            }
            // TPM2_NV_UndefineSpace (Part 3, 31.4).
            let owner = anchor.owner_auth()?;
            let session = Session::start(transport, key.handle, &key.point, Sort::Hmac)?;
            let entities = [
                Entity { handle: RH_OWNER, name: &RH_OWNER.to_be_bytes(), auth: &owner },
                Entity { handle: anchor.index, name: &public.name, auth: &[] },
            ];
            session.run(transport, Code::NvUndefineSpace, &entities, &[], None, 0).map(|_| ())
        })?;
        self.seen = false;
        Ok(())
    }

    fn pace(&self) -> Pace {
        Pace::Writer(self.interval)
    }

    fn adopts(&self) -> bool {
        false
    }

    fn prepare(&mut self) -> Result<(), StateError> {
        if self.held.is_none() {
            let opened = Transport::open(&self.path, self.timeout);
            self.held = Some(opened.map_err(|failure| self.fault(&failure))?);
            self.keep = true;
            self.once = std::fs::metadata(&self.path).is_ok_and(|found| found.file_type().is_socket());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
