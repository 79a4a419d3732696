//! Commands with sessions (Part 1, clauses 17 and 19). Sessions are salted with the storage key, and the first parameter is
//! encrypted, so that who listens between processor and TPM does not learn the secret.

use sealwright_crypto::kdf::{kdfa, kdfe};
use sealwright_crypto::{BlockCipher, CipherMode, Curve, HashAlg, Point, RUST};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::flush;
use super::transport::Transport;
use super::wire::constant::{ALG_AES, ALG_CFB, ALG_SHA256, RH_NULL, RS_PW};
use super::wire::{In, Out, cut};
use crate::failure::Failure;

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
const CONTINUE: u8 = 0x01;
/// The first parameter of the command is encrypted.
const DECRYPT: u8 = 0x20;
/// That of the response.
const ENCRYPT: u8 = 0x40;
const HASH: HashAlg = HashAlg::Sha256;

/// TPM_CC of Part 2, 6.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    NvUndefineSpace = 0x122,
    NvDefineSpace = 0x12A,
    CreatePrimary = 0x131,
    NvWrite = 0x137,
    NvRead = 0x14E,
    Create = 0x153,
    Load = 0x157,
    Unseal = 0x15E,
    FlushContext = 0x165,
    NvReadPublic = 0x169,
    PolicyAuthValue = 0x16B,
    ReadPublic = 0x173,
    StartAuthSession = 0x176,
    PolicyPcr = 0x17F,
    PolicyGetDigest = 0x189,
}

/// TPM_SE: what a session is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    Hmac = 0,
    Policy = 1,
    Trial = 3,
}

/// Which first parameter crosses encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hidden {
    Command,
    Response,
}

/// A session of the TPM with its key here.
pub(crate) struct Session {
    pub(crate) handle: u32,
    sort: Sort,
    key: Zeroizing<Vec<u8>>,
    nonce: Vec<u8>,
    /// TPM2_PolicyAuthValue was run.
    pub(crate) auth_value: bool,
}

/// A handle with the Name of what it stands for.
pub(crate) struct Entity<'a> {
    pub(crate) handle: u32,
    pub(crate) name: &'a [u8],
    /// Its authorization value.
    pub(crate) auth: &'a [u8],
}

/// Why the TPM said no: TPM_RC without the position of the fault.
pub(crate) fn refusal(code: Code, rc: u32) -> Failure {
    let bare = if rc & 0x80 != 0 { rc & 0xBF } else { rc };
    match bare {
        0x08E | 0x0A2 if matches!(code, Code::NvDefineSpace | Code::NvUndefineSpace) => {
            Failure::refused("the TPM's owner has another password; give it by owner-auth-file=")
        }
        0x08B if matches!(code, Code::NvReadPublic | Code::NvUndefineSpace) => {
            Failure::not_found("the TPM has no such NV Index")
        }
        0x14A => Failure::not_found("the NV Index was never written"),
        0x14B => {
            Failure::unavailable("the TPM has no room for another NV Index; remove those that are not needed any more")
        }
        0x148 | 0x149 => {
            Failure::refused("the TPM does not let the NV Index be used: it is locked, or has other rights")
        }
        0x923 => Failure::unavailable("the TPM cannot write its memory now; try again"),
        0x08E | 0x0A2 => Failure::refused("the TPM does not accept the value in auth-file"),
        0x09D | 0x128 => Failure::refused(
            "the PCRs have other values than when the key was sealed: the host has booted something else; boot what it had, or \
             wrap the key again from another copy",
        ),
        0x08B if code == Code::ReadPublic => Failure::not_found("the TPM has no key at the handle that parent= names"),
        0x09F if code == Code::Load => Failure::damaged("the TPM finds the sealed secret altered"),
        0x921 => Failure::refused(
            "the TPM is locked after too many wrong values; wait, or reset it with its lockout authorization",
        ),
        0x100 => Failure::unavailable("the TPM was not started (TPM2_Startup)"),
        0x902..=0x904 => Failure::unavailable(
            "the TPM's memory is full of others' objects or sessions; use a device with a resource manager, tpmrm0",
        ),
        // Whatever is wrong with a parameter of Load comes from the stored blob.
        _ if code == Code::Load && rc & 0x80 != 0 => {
            Failure::damaged(format!("the TPM cannot load the sealed secret ({rc:#x})"))
        }
        0x085 if code == Code::CreatePrimary => {
            Failure::disabled("the TPM's owner hierarchy is switched off until its next start")
        }
        0x101 => Failure::unavailable("the TPM is in failure mode"),
        _ => Failure::unavailable(format!("the TPM refused {code:?} with the response code {rc:#x}")),
    }
}

/// The TPM is busy with itself; the same command succeeds later.
const fn is_passing(rc: u32) -> bool {
    matches!(rc, 0x908 | 0x90A | 0x920 | 0x922)
}

fn send(transport: &Transport, code: Code, tag: u16, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let size = u32::try_from(body.len().saturating_add(10)).unwrap_or(u32::MAX);
    let command = Out::new().u16(tag).u32(size).u32(code as u32).bytes(body);
    let mut tries = 0_u32;
    loop {
        let response = transport.exchange(&command.0)?;
        let mut header = In(&response);
        let (_, _, rc) = (header.u16(), header.u32(), header.u32().ok_or_else(cut)?);
        if rc == 0 {
            return Ok(Zeroizing::new(header.0.to_vec()));
        }
        tries = tries.saturating_add(1);
        if !is_passing(rc) || tries > 20 {
            return Err(refusal(code, rc));
        }
        // It spares its memory by waiting for seconds, if need be (TPM_RC_NV_RATE).
        let pause = if rc == 0x920 { 250 } else { 20 };
        std::thread::sleep(core::time::Duration::from_millis(pause));
    }
}

/// A command without authorization: what follows the header of the response.
pub(crate) fn plain(
    transport: &Transport,
    code: Code,
    handles: &[u32],
    parameters: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let body = handles.iter().fold(Out::new(), |out, handle| out.u32(*handle)).bytes(parameters);
    send(transport, code, NO_SESSIONS, &body.0)
}

/// A command authorized by an empty password: handle and parameters of the response.
pub(crate) fn empty_password(
    transport: &Transport,
    code: Code,
    handle: u32,
    parameters: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let session = Out::new().u32(RS_PW).u16(0).u8(CONTINUE).u16(0);
    let size = u32::try_from(session.0.len()).unwrap_or(u32::MAX);
    let body = Out::new().u32(handle).u32(size).bytes(&session.0).bytes(parameters);
    send(transport, code, SESSIONS, &body.0)
}

impl Session {
    /// TPM2_StartAuthSession (Part 3, 11.1), salted with an ECC storage key (Part 1, annex C.6.4).
    pub(crate) fn start(transport: &Transport, key: u32, public: &Point, sort: Sort) -> Result<Self, Failure> {
        let failed = |_| Failure::unavailable("the TPM's storage key is no point of its curve");
        let mut scalar = Zeroizing::new([0; 48]);
        let mut nonce = vec![0; 32];
        crate::secret::random(scalar.as_mut())?;
        crate::secret::random(&mut nonce)?;
        if !RUST.ecc.on_curve(Curve::P256, public) {
            return Err(failed(()));
        }
        let own = RUST.ecc.mul_base(Curve::P256, scalar.as_ref()).map_err(|_| failed(()))?;
        let shared = RUST.ecc.mul(Curve::P256, scalar.as_ref(), public).map_err(|_| failed(()))?;
        let z = Zeroizing::new(shared.x);
        let salt = kdfe(&RUST, HASH, &z, b"SECRET", &own.x, &public.x, 256);
        let point = Out::new().sized(&own.x).sized(&own.y);
        let parameters = Out::new().sized(&nonce).sized(&point.0).u8(sort as u8);
        let parameters = parameters.u16(ALG_AES).u16(128).u16(ALG_CFB).u16(ALG_SHA256);
        let answer = plain(transport, Code::StartAuthSession, &[key, RH_NULL], &parameters.0)?;
        let mut answer = In(&answer);
        let handle = answer.u32().ok_or_else(cut)?;
        let tpm_nonce = answer.sized().ok_or_else(cut)?.to_vec();
        let key = kdfa(&RUST, HASH, &salt, b"ATH", &tpm_nonce, &nonce, 256);
        Ok(Self { handle, sort, key, nonce: tpm_nonce, auth_value: false })
    }

    /// A command on some entities, the first of which this session authorizes; what is `hidden` crosses encrypted. Returns
    /// the handle area (`handles` words) and the parameters of the response. The session ends with it, whatever comes of it.
    pub(crate) fn run(
        self,
        transport: &Transport,
        code: Code,
        entities: &[Entity<'_>],
        parameters: &[u8],
        hidden: Option<Hidden>,
        handles: usize,
    ) -> Result<(Vec<u32>, Zeroizing<Vec<u8>>), Failure> {
        let done = self.authorize(transport, code, entities, parameters, hidden, handles);
        // After a success the TPM has ended it.
        done.inspect_err(|_| flush(transport, self.handle))
    }

    fn authorize(
        &self,
        transport: &Transport,
        code: Code,
        entities: &[Entity<'_>],
        parameters: &[u8],
        hidden: Option<Hidden>,
        handles: usize,
    ) -> Result<(Vec<u32>, Zeroizing<Vec<u8>>), Failure> {
        let mut nonce = vec![0; 32];
        crate::secret::random(&mut nonce)?;
        let attributes = match hidden {
            Some(Hidden::Command) => DECRYPT,
            Some(Hidden::Response) => ENCRYPT,
            None => 0,
        };
        let auth = entities.first().map_or(&[][..], |entity| entity.auth);
        let with_auth = Zeroizing::new([&self.key, auth].concat());
        let proves = if self.sort == Sort::Hmac || self.auth_value { &with_auth } else { &self.key };
        let mut parameters = Zeroizing::new(parameters.to_vec());
        if hidden == Some(Hidden::Command) {
            crypt(&with_auth, &nonce, &self.nonce, true, &mut parameters)?;
        }
        let names: Vec<u8> = entities.iter().flat_map(|entity| entity.name.iter().copied()).collect();
        let cp = RUST.hash.digest(HASH, &[&(code as u32).to_be_bytes(), &names, &parameters]);
        let hmac = RUST.hash.hmac(HASH, proves, &[&cp, &nonce, &self.nonce, &[attributes]]);
        let session = Out::new().u32(self.handle).sized(&nonce).u8(attributes).sized(&hmac);
        let size = u32::try_from(session.0.len()).unwrap_or(u32::MAX);
        let body = entities.iter().fold(Out::new(), |out, entity| out.u32(entity.handle));
        let body = body.u32(size).bytes(&session.0).bytes(&parameters);
        let answer = send(transport, code, SESSIONS, &body.0)?;

        let mut answer = In(&answer);
        let found: Option<Vec<u32>> = (0..handles).map(|_| answer.u32()).collect();
        let size = answer.u32().ok_or_else(cut)?;
        let result = answer.bytes(usize::try_from(size).unwrap_or(usize::MAX)).ok_or_else(cut)?;
        let (tpm_nonce, attributes) = (answer.sized().ok_or_else(cut)?, answer.u8().ok_or_else(cut)?);
        let given = answer.sized().ok_or_else(cut)?;
        let rp = RUST.hash.digest(HASH, &[&0_u32.to_be_bytes(), &(code as u32).to_be_bytes(), result]);
        let right = RUST.hash.hmac(HASH, proves, &[&rp, tpm_nonce, &nonce, &[attributes]]);
        if !bool::from(right.ct_eq(given)) {
            return Err(Failure::unavailable(
                "the answer does not come from the TPM that was asked: somebody sits between",
            ));
        }
        let mut result = Zeroizing::new(result.to_vec());
        if hidden == Some(Hidden::Response) {
            crypt(&with_auth, tpm_nonce, &nonce, false, &mut result)?;
        }
        Ok((found.ok_or_else(cut)?, result))
    }
}

/// Encrypts or decrypts the TPM2B at the start of `parameters` (Part 1, 19.3: AES-128 in CFB mode).
fn crypt(key: &[u8], newer: &[u8], older: &[u8], encrypt: bool, parameters: &mut [u8]) -> Result<(), Failure> {
    let size = parameters.first_chunk::<2>().map_or(0, |size| u16::from_be_bytes(*size));
    let data = parameters.get_mut(2..).and_then(|rest| rest.get_mut(..size.into())).ok_or_else(cut)?;
    let material = kdfa(&RUST, HASH, key, b"CFB", newer, older, 256);
    let (key, iv) = material.split_at_checked(16).ok_or_else(cut)?;
    let mut iv = iv.to_vec();
    RUST.cipher.crypt(BlockCipher::Aes, CipherMode::Cfb, encrypt, key, &mut iv, data).map_err(|_| cut())
}
