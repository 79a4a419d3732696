//! A response as named fields, with everything random or bound to a TPM's own seeds masked.

use crate::codes::*;
use crate::crypto::hash;
use crate::table;
use crate::tpm::Reply;
use crate::wire::{In, hex};

/// One field of a response: its path and its value as text.
pub type Field = (String, String);

struct Describer<'a> {
    code: u32,
    fixed: bool,
    fields: Vec<Field>,
    input: In<'a>,
}

const RANDOM: &[(&str, &str)] = &[
    ("GetRandom", "randomBytes"),
    ("StartAuthSession", "nonceTPM"),
    ("CreatePrimary", "name"),
    ("Load", "name"),
    ("CreateLoaded", "name"),
    ("ReadPublic", "name"),
    ("ReadPublic", "qualifiedName"),
    ("MakeCredential", "credentialBlob"),
    ("MakeCredential", "secret"),
    ("Create", "creationHash"),
    ("CreatePrimary", "creationHash"),
    ("RSA_Encrypt", "outData"),
    ("Duplicate", "encryptionKeyOut"),
    ("ECDH_KeyGen", "zPoint"),
    ("ECDH_KeyGen", "pubPoint"),
    ("ECDH_ZGen", "outPoint"),
    ("Commit", "K"),
    ("Commit", "L"),
    ("Commit", "E"),
    ("ZGen_2Phase", "outZ1"),
    ("ZGen_2Phase", "outZ2"),
    ("EC_Ephemeral", "Q"),
    ("CertifyX509", "addedToCertificate"),
    ("CertifyX509", "tbsDigest"),
    ("ECC_Encrypt", "C1"),
    ("ECC_Encrypt", "C2"),
    ("ECC_Encrypt", "C3"),
    ("GetTestResult", "outData"),
];

/// TPM_CC_ACT_SetTimeout: the last command of libtpms 0.9.2.
const LAST_COMMON_COMMAND: u32 = 0x198;

/// Commands whose random-looking results are the same for a fixed key.
const FIXED_BY_KEY: &[&str] = &["ECDH_ZGen", "ReadPublic", "Load"];

/// The fields of a successful response.
pub fn response(code: u32, reply: &Reply, fixed: bool, faults: &mut Vec<String>) -> Vec<Field> {
    let Some(command) = table::commands().get(&code) else { return Vec::new() };
    let mut d = Describer { code, fixed, fields: Vec::new(), input: In(&reply.parameters) };
    if command.response_handle {
        d.put("handle", format!("{:#010x}", reply.handle));
    }
    for (name, kind) in &command.response {
        if d.field(command.name, name, kind, faults).is_none() {
            faults.push(format!("the response ends inside {name}"));
            break;
        }
    }
    if !d.input.is_empty() {
        faults.push(format!("{} bytes after the last response parameter", d.input.0.len()));
    }
    d.fields
}

impl<'a> Describer<'a> {
    fn put(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push((name.to_string(), value.into()));
    }

    fn masked(&mut self, name: &str, bytes: &[u8]) {
        self.put(name, format!("<{} bytes>", bytes.len()));
    }

    fn random(&self, command: &str, name: &str) -> bool {
        RANDOM.contains(&(command, name)) && !(self.fixed && FIXED_BY_KEY.contains(&command) && name != "qualifiedName")
    }

    fn field(&mut self, command: &str, name: &str, kind: &str, faults: &mut Vec<String>) -> Option<()> {
        match kind {
            "UINT16" => {
                let v = self.input.u16()?;
                self.put(name, v.to_string());
            }
            "UINT32" | "TPM_RC" => {
                let v = self.input.u32()?;
                self.put(name, format!("{v:#x}"));
            }
            "TPMI_YES_NO" => {
                let v = self.input.u8()?;
                self.put(name, v.to_string());
            }
            "TPM2B_PUBLIC" => {
                let bytes = self.input.sized()?;
                self.public(name, bytes)?;
            }
            "TPM2B_PRIVATE" | "TPM2B_ENCRYPTED_SECRET" => {
                let bytes = self.input.sized()?;
                self.masked(name, bytes);
            }
            "TPM2B_TIMEOUT" => {
                let bytes = self.input.sized()?;
                self.masked(name, bytes);
            }
            "TPM2B_CREATION_DATA" => {
                let bytes = self.input.sized()?;
                self.creation(bytes)?;
                let rest = In(self.input.0).sized()?;
                let ok = [SHA1, SHA256, SHA384, SHA512].iter().any(|a| hash(*a, &[bytes]) == rest);
                if !ok && !rest.is_empty() {
                    faults.push("creationHash is not the digest of creationData".into());
                }
            }
            "TPMT_TK_CREATION" | "TPMT_TK_VERIFIED" | "TPMT_TK_HASHCHECK" | "TPMT_TK_AUTH" => {
                let (tag, hierarchy) = (self.input.u16()?, self.input.u32()?);
                let digest = self.input.sized()?;
                self.put(name, format!("{tag:#06x} {hierarchy:#010x} <{} bytes>", digest.len()));
            }
            "TPM2B_ATTEST" => {
                let bytes = self.input.sized()?;
                self.attest(bytes)?;
            }
            "TPMT_SIGNATURE" => self.signature(name)?,
            "TPM2B_ECC_POINT" => {
                let bytes = self.input.sized()?;
                let mut point = In(bytes);
                let (x, y) = (point.sized()?, point.sized()?);
                if self.random(command, name) {
                    self.put(name, if x.is_empty() { "empty point" } else { "point" });
                } else {
                    self.put(name, format!("{},{}", hex(x), hex(y)));
                }
            }
            "TPMS_TIME_INFO" => {
                self.input.raw(16)?;
                let (reset, restart, safe) = (self.input.u32()?, self.input.u32()?, self.input.u8()?);
                self.put("clockInfo", format!("reset {reset} restart {restart} safe {safe}"));
            }
            "TPMS_CONTEXT" => {
                let (sequence, handle, hierarchy) = (self.input.u64()?, self.input.u32()?, self.input.u32()?);
                self.input.sized()?;
                self.put(name, format!("sequence {sequence} savedHandle {handle:#010x} hierarchy {hierarchy:#010x}"));
            }
            "TPMS_CAPABILITY_DATA" => self.capability()?,
            "TPML_DIGEST" | "TPML_DIGEST_VALUES" | "TPML_PCR_SELECTION" | "TPML_ALG" => {
                let count = self.input.u32()?;
                self.put(&format!("{name}.count"), count.to_string());
                for i in 0..count {
                    let text = match kind {
                        "TPML_DIGEST" => hex(self.input.sized()?),
                        "TPML_ALG" => format!("{:#06x}", self.input.u16()?),
                        "TPML_DIGEST_VALUES" => {
                            let alg = self.input.u16()?;
                            format!("{alg:#06x} {}", hex(self.input.raw(digest_size(alg))?))
                        }
                        _ => self.selection()?,
                    };
                    self.put(&format!("{name}[{i}]"), text);
                }
            }
            "TPMS_ALGORITHM_DETAIL_ECC" => {
                let rest = self.input.0;
                self.input = In(&[]);
                self.put(name, hex(rest));
            }
            _ => {
                let bytes = self.input.sized()?;
                if self.random(command, name) {
                    self.masked(name, bytes);
                } else if name == "ivOut" {
                    self.chaining_value(bytes);
                } else {
                    self.put(name, hex(bytes));
                }
            }
        }
        Some(())
    }

    /// ivOut, and apart from it what follows a last block that was not full.
    fn chaining_value(&mut self, iv: &[u8]) {
        let data = self.fields.iter().find(|f| f.0 == "outData").map_or(0, |f| f.1.len() / 2);
        let (used, rest) = match data.checked_rem(iv.len()) {
            None | Some(0) => (iv, &[][..]),
            Some(n) => iv.split_at(n),
        };
        self.put("ivOut", hex(used));
        self.put("ivOut after the data", if rest.iter().all(|b| *b == 0) { "zeros".into() } else { hex(rest) });
    }

    fn selection(&mut self) -> Option<String> {
        let (alg, size) = (self.input.u16()?, self.input.u8()?);
        Some(format!("{alg:#06x}:{}", hex(self.input.raw(size.into())?)))
    }

    /// A public area: everything but `unique`, which comes last and is two sized buffers for ECC and one otherwise.
    fn public(&mut self, name: &str, bytes: &[u8]) -> Option<()> {
        let kind = In(bytes).u16()?;
        let parts = if kind == ECC { 2 } else { 1 };
        let body = Public::parse(bytes)?;
        self.put(&format!("{name}.area"), hex(body.before_unique));
        if self.fixed {
            self.put(&format!("{name}.unique"), hex(body.unique));
        } else if parts == 1 {
            self.masked(&format!("{name}.unique"), body.unique);
        } else {
            self.put(&format!("{name}.unique"), if body.unique.len() > 4 { "point" } else { "empty point" });
        }
        Some(())
    }

    fn creation(&mut self, bytes: &[u8]) -> Option<()> {
        let outer = core::mem::replace(&mut self.input, In(&[]));
        let mut d = Describer { code: self.code, fixed: self.fixed, fields: Vec::new(), input: In(bytes) };
        let count = d.input.u32()?;
        for i in 0..count {
            let text = d.selection()?;
            d.put(&format!("creationData.pcrSelect[{i}]"), text);
        }
        let digest = hex(d.input.sized()?);
        d.put("creationData.pcrDigest", digest);
        let (locality, alg) = (d.input.u8()?, d.input.u16()?);
        d.put("creationData.locality", locality.to_string());
        d.put("creationData.parentNameAlg", format!("{alg:#06x}"));
        let (parent, qualified, outside) = (d.input.sized()?, d.input.sized()?, d.input.sized()?);
        if parent.len() == 4 {
            d.put("creationData.parentName", hex(parent));
            d.put("creationData.parentQualifiedName", hex(qualified));
        } else {
            d.masked("creationData.parentName", parent);
            d.masked("creationData.parentQualifiedName", qualified);
        }
        d.put("creationData.outsideInfo", hex(outside));
        let fields = d.fields;
        self.fields.extend(fields);
        self.input = outer;
        Some(())
    }

    fn attest(&mut self, bytes: &[u8]) -> Option<()> {
        let mut d = Describer { code: self.code, fixed: self.fixed, fields: Vec::new(), input: In(bytes) };
        let (magic, kind) = (d.input.u32()?, d.input.u16()?);
        d.put("attest.type", format!("{magic:#010x} {kind:#06x}"));
        let (signer, extra) = (d.input.sized()?, d.input.sized()?);
        d.masked("attest.qualifiedSigner", signer);
        d.put("attest.extraData", hex(extra));
        d.input.raw(16)?;
        let safe = d.input.u8()?;
        d.put("attest.safe", safe.to_string());
        d.input.raw(8)?;
        match kind {
            0x8017 | 0x801A => {
                let (a, b) = (d.input.sized()?, d.input.sized()?);
                d.masked("attest.name", a);
                d.masked("attest.second", b);
            }
            0x8018 => {
                for i in 0..d.input.u32()? {
                    let text = d.selection()?;
                    d.put(&format!("attest.pcrSelect[{i}]"), text);
                }
                let digest = hex(d.input.sized()?);
                d.put("attest.pcrDigest", digest);
            }
            0x8019 => {
                d.input.raw(16)?;
                let counts = hex(d.input.raw(9)?);
                d.put("attest.time.counts", counts);
                d.input.raw(8)?;
            }
            0x8015 => {
                let (counter, alg) = (d.input.u64()?, d.input.u16()?);
                d.put("attest.audit", format!("counter {counter} {alg:#06x}"));
                let (digest, commands) = (d.input.sized()?, d.input.sized()?);
                d.masked("attest.auditDigest", digest);
                d.put("attest.commandDigest", hex(commands));
            }
            0x8016 => {
                let exclusive = d.input.u8()?;
                let digest = d.input.sized()?;
                d.put("attest.exclusive", exclusive.to_string());
                d.masked("attest.sessionDigest", digest);
            }
            0x8014 => {
                let name = hex(d.input.sized()?);
                let offset = d.input.u16()?;
                let contents = hex(d.input.sized()?);
                d.put("attest.nv", format!("{name} at {offset}: {contents}"));
            }
            0x801C => {
                let name = hex(d.input.sized()?);
                let digest = hex(d.input.sized()?);
                d.put("attest.nvDigest", format!("{name} {digest}"));
            }
            _ => d.put("attest.unknown", hex(d.input.0)),
        }
        let fields = d.fields;
        self.fields.extend(fields);
        Some(())
    }

    fn signature(&mut self, name: &str) -> Option<()> {
        let alg = self.input.u16()?;
        if alg == NULL {
            self.put(name, "null");
            return Some(());
        }
        let hash_alg = self.input.u16()?;
        match alg {
            HMAC => {
                let mac = self.input.raw(digest_size(hash_alg))?;
                let text = if self.fixed && self.code == table::code("Sign") { hex(mac) } else { "<mac>".into() };
                self.put(name, format!("hmac {hash_alg:#06x} {text}"));
            }
            RSASSA | RSAPSS => {
                let sig = self.input.sized()?;
                let text = if self.fixed && alg == RSASSA && self.code == table::code("Sign") {
                    hex(sig)
                } else {
                    format!("<{} bytes>", sig.len())
                };
                self.put(name, format!("{alg:#06x} {hash_alg:#06x} {text}"));
            }
            _ => {
                self.input.sized()?;
                self.input.sized()?;
                self.put(name, format!("{alg:#06x} {hash_alg:#06x} r, s"));
            }
        }
        Some(())
    }

    fn capability(&mut self) -> Option<()> {
        let kind = self.input.u32()?;
        let count = self.input.u32()?;
        // The lists of commands are compared by what both can have: the commands up to revision 1.59.
        let later = |entry: &[u8]| kind == 2 && In(entry).u32().is_some_and(|cc| cc & 0xFFFF > LAST_COMMON_COMMAND);
        let more = self.input.0.chunks_exact(4).filter(|entry| later(entry)).count();
        self.put("capability", format!("{kind} count {}", count as usize - more.min(count as usize)));
        if let Some((name, _)) = self.fields.iter_mut().find(|(name, _)| name == "moreData") {
            *name = format!("moreData of {kind}");
        }
        for i in 0..count {
            let (key, value) = match kind {
                0 => (format!("alg {:#06x}", self.input.u16()?), format!("{:#x}", self.input.u32()?)),
                1 => (format!("handle {:#010x}", self.input.u32()?), "present".into()),
                2 => {
                    let attributes = self.input.u32()?;
                    (format!("command {}", table::name(attributes & 0xFFFF)), format!("{attributes:#010x}"))
                }
                3 | 4 => (format!("code {:#x}", self.input.u32()?), "present".into()),
                5 => (format!("bank {i}"), self.selection()?),
                6 => (format!("property {:#x}", self.input.u32()?), format!("{:#x}", self.input.u32()?)),
                7 => {
                    let (tag, size) = (self.input.u32()?, self.input.u8()?);
                    (format!("pcr property {tag:#x}"), hex(self.input.raw(size.into())?))
                }
                8 => (format!("curve {:#06x}", self.input.u16()?), "present".into()),
                9 => {
                    let (handle, alg) = (self.input.u32()?, self.input.u16()?);
                    (format!("policy {handle:#010x}"), format!("{alg:#x} {}", hex(self.input.raw(digest_size(alg))?)))
                }
                _ => {
                    let rest = hex(self.input.0);
                    self.input = In(&[]);
                    (format!("entry {i}"), rest)
                }
            };
            self.put(&key, value);
        }
        Some(())
    }
}

/// The parts of a TPMT_PUBLIC that the client needs.
#[derive(Clone, Debug)]
pub struct Public<'a> {
    /// TPMI_ALG_PUBLIC.
    pub kind: u16,
    /// nameAlg.
    pub name_alg: u16,
    /// Everything before `unique`.
    pub before_unique: &'a [u8],
    /// `unique`, as marshalled.
    pub unique: &'a [u8],
    /// Curve of an ECC key.
    pub curve: u16,
    /// Exponent of an RSA key (0 = 65537).
    pub exponent: u32,
}

fn skip_symmetric(input: &mut In<'_>) -> Option<()> {
    if input.u16()? != NULL {
        input.raw(4)?;
    }
    Some(())
}

fn skip_scheme(input: &mut In<'_>) -> Option<()> {
    match input.u16()? {
        NULL | RSAES => {}
        ECDAA => drop(input.raw(4)?),
        _ => drop(input.raw(2)?),
    }
    Some(())
}

impl<'a> Public<'a> {
    /// Reads a public area.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut input = In(bytes);
        let (kind, name_alg) = (input.u16()?, input.u16()?);
        input.raw(4)?;
        input.sized()?;
        let (mut curve, mut exponent) = (0, 0);
        match kind {
            RSA => {
                skip_symmetric(&mut input)?;
                skip_scheme(&mut input)?;
                input.u16()?;
                exponent = input.u32()?;
            }
            ECC => {
                skip_symmetric(&mut input)?;
                skip_scheme(&mut input)?;
                curve = input.u16()?;
                skip_scheme(&mut input)?;
            }
            SYMCIPHER => skip_symmetric(&mut input)?,
            KEYEDHASH => match input.u16()? {
                NULL => {}
                XOR => drop(input.raw(4)?),
                _ => drop(input.raw(2)?),
            },
            _ => return None,
        }
        let split = bytes.len() - input.0.len();
        let (before_unique, unique) = bytes.split_at(split);
        Some(Self { kind, name_alg, before_unique, unique, curve, exponent })
    }

    /// Modulus, or x and y.
    pub fn point_or_modulus(&self) -> Option<(&'a [u8], &'a [u8])> {
        let mut input = In(self.unique);
        let first = input.sized()?;
        Some((first, if self.kind == ECC { input.sized()? } else { &[] }))
    }
}
