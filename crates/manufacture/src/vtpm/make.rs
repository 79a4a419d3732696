//! What a manufacturer does to a TPM: keys, certificates, PCR banks.

use super::request::Request;
use super::template::EkUse;
use super::{KeyAlgorithm, Template, TpmDescription, Vtpm};
use crate::Log;
use crate::certificate::PublicKey;
use crate::failure::{Failure, failure};
use sealwright_crypto::{HashAlg, Point};

const OWNER: u32 = 0x4000_0001;
const ENDORSEMENT: u32 = 0x4000_000B;
const PLATFORM: u32 = 0x4000_000C;

const STORAGE_HANDLE: u32 = 0x8100_0001;
/// Handles and NV Indexes of TPM 2.0 Keys for Device Identity and Attestation, 7.
const IDEVID_HANDLE: u32 = 0x8102_0000;
const IAK_HANDLE: u32 = 0x8102_0001;
const IAK_CERTIFICATE: u32 = 0x01C9_0100;
const IDEVID_CERTIFICATE: u32 = 0x01C9_0200;
/// NV Index of the platform certificate (TCG Registry of Reserved TPM 2.0 Handles).
const PLATFORM_CERTIFICATE: u32 = 0x01C0_8000;

/// What a vTPM gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Endorsement keys; the platform's certificate is made with the first.
    pub eks: Vec<KeyAlgorithm>,
    /// How these may be used.
    pub usage: EkUse,
    /// A storage root key, made persistent.
    pub storage: Option<KeyAlgorithm>,
    /// Certificates of the endorsement keys.
    pub ek_certificates: bool,
    /// A certificate of the platform.
    pub platform_certificate: bool,
    /// An attestation key with its certificate.
    pub iak: Option<KeyAlgorithm>,
    /// A device identity with its certificate.
    pub idevid: Option<KeyAlgorithm>,
    /// Lock the NV Indexes that are made.
    pub lock_nv: bool,
    /// The PCR banks to be active, by name; `None` leaves all that the TPM has.
    pub pcr_banks: Option<Vec<String>>,
}

impl Order {
    /// How many certificates are made.
    pub fn certificates(&self) -> usize {
        let mut eks: Vec<_> = self.eks.iter().filter(|_| self.ek_certificates).collect();
        eks.dedup();
        let others = [self.platform_certificate && !self.eks.is_empty(), self.iak.is_some(), self.idevid.is_some()];
        eks.len().saturating_add(others.into_iter().filter(|made| *made).count())
    }
}

/// What a certificate is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An endorsement key.
    Ek,
    /// The platform with its endorsement key.
    Platform,
    /// An attestation key.
    Iak,
    /// A device identity.
    Idevid,
}

impl Purpose {
    /// The name on command lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ek => "ek",
            Self::Platform => "platform",
            Self::Iak => "iak",
            Self::Idevid => "idevid",
        }
    }
}

/// A certificate that is wanted.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What it is of.
    pub purpose: Purpose,
    /// The key.
    pub key: &'a PublicKey,
    /// The TPM.
    pub tpm: &'a TpmDescription,
    /// Serial number of the TPM; attestation keys and identities have one.
    pub serial: Option<&'a str>,
    /// How an endorsement key may be used.
    pub usage: EkUse,
}

/// Who makes certificates.
pub trait Certifier {
    /// The certificate, as DER.
    fn certify(&mut self, wanted: &Wanted<'_>) -> Result<Vec<u8>, Failure>;
}

/// A certificate that was made, for those who want a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// File name such as `ek-rsa2048.crt`.
    pub file: String,
    /// The certificate, as DER.
    pub der: Vec<u8>,
}

/// Who a device key is for, and where it and its certificate are.
struct DeviceKey {
    purpose: Purpose,
    title: &'static str,
    algorithm: KeyAlgorithm,
    template: Template,
    handle: u32,
    index: u32,
}

/// Makes what was ordered in a new TPM; returns copies of the certificates of its keys.
pub fn make(
    tpm: &mut Vtpm,
    order: &Order,
    certifier: &mut dyn Certifier,
    log: &Log,
) -> Result<Vec<Certified>, Failure> {
    let description = tpm.description()?;
    let mut copies = Vec::new();
    let mut serial = None;
    if let Some(algorithm) = order.storage {
        tpm.persistent_key(OWNER, algorithm, &Template::storage(algorithm), STORAGE_HANDLE)?;
        log.say(&format!("Successfully created storage primary key with handle {STORAGE_HANDLE:#x}."));
    }
    let mut made = Vec::new();
    for algorithm in order.eks.iter().copied() {
        if made.contains(&algorithm) {
            continue;
        }
        let first = made.is_empty();
        made.push(algorithm);
        let key = tpm.endorsement_key(algorithm, order, log)?;
        let mut wanted =
            Wanted { purpose: Purpose::Ek, key: &key, tpm: &description, serial: None, usage: order.usage };
        let ek = order.ek_certificates.then(|| certifier.certify(&wanted)).transpose()?;
        wanted.purpose = Purpose::Platform;
        let platform = (order.platform_certificate && first).then(|| certifier.certify(&wanted)).transpose()?;
        if let Some(der) = ek {
            let (index, what) = (algorithm.places().certificate, format!("{} EK certificate", algorithm.title()));
            tpm.store(index, &der, order.lock_nv, &what)?;
            log.say(&format!("Successfully created NVRAM area {index:#x} for {what}."));
            if first && (order.iak.is_some() || order.idevid.is_some()) {
                serial = Some(crate::certificate::device_serial(&description.vendor, &der)?);
            }
            copies.push(Certified { file: format!("ek-{}.crt", algorithm.name()), der });
        }
        if let Some(der) = platform {
            let what = "platform certificate";
            tpm.store(PLATFORM_CERTIFICATE, &der, order.lock_nv, what)?;
            log.say(&format!("Successfully created NVRAM area {PLATFORM_CERTIFICATE:#x} for {what}."));
        }
    }
    for device in device_keys(order) {
        let (handle, index) = (device.handle, device.index);
        let key = tpm.persistent_key(ENDORSEMENT, device.algorithm, &device.template, handle)?;
        let (algorithm, title) = (device.algorithm.title(), device.title);
        log.say(&format!("Successfully created {algorithm} {title} primary key with handle {handle:#x}."));
        let serial = serial.as_deref();
        if serial.is_none() {
            return Err(failure!("an {title} needs an EK certificate, whose serial number it names"));
        }
        let wanted = Wanted { purpose: device.purpose, key: &key, tpm: &description, serial, usage: EkUse::default() };
        let der = certifier.certify(&wanted)?;
        let what = format!("{title} certificate");
        tpm.store(index, &der, order.lock_nv, &what)?;
        log.say(&format!("Successfully created NVRAM area {index:#x} for {what}."));
        copies.push(Certified { file: format!("{}-{}.crt", device.purpose.name(), device.algorithm.name()), der });
    }
    if let Some(banks) = &order.pcr_banks {
        set_pcr_banks(tpm, banks, log)?;
    }
    Ok(copies)
}

fn device_keys(order: &Order) -> impl Iterator<Item = DeviceKey> {
    let iak = order.iak.map(|algorithm| DeviceKey {
        purpose: Purpose::Iak,
        title: "IAK",
        algorithm,
        template: Template::iak(algorithm),
        handle: IAK_HANDLE,
        index: IAK_CERTIFICATE,
    });
    let idevid = order.idevid.map(|algorithm| DeviceKey {
        purpose: Purpose::Idevid,
        title: "IDevID",
        algorithm,
        template: Template::idevid(algorithm),
        handle: IDEVID_HANDLE,
        index: IDEVID_CERTIFICATE,
    });
    iak.into_iter().chain(idevid)
}

impl Vtpm {
    fn endorsement_key(&mut self, algorithm: KeyAlgorithm, order: &Order, log: &Log) -> Result<PublicKey, Failure> {
        let (places, title) = (algorithm.places(), algorithm.title());
        let template = Template::ek(algorithm, order.usage);
        let key = self.persistent_key(ENDORSEMENT, algorithm, &template, places.handle)?;
        log.say(&format!("Successfully created {title} EK with handle {:#x}.", places.handle));
        if order.usage.signing {
            // Users find a key that is not the profile's by this template.
            let what = format!("{title} EK template");
            self.store(places.template, &template.0, order.lock_nv, &what)?;
            log.say(&format!("Successfully created NVRAM area {:#x} for {what}.", places.template));
        }
        Ok(key)
    }

    /// Makes a primary key and keeps it at a persistent handle.
    fn persistent_key(
        &mut self,
        hierarchy: u32,
        algorithm: KeyAlgorithm,
        template: &Template,
        handle: u32,
    ) -> Result<PublicKey, Failure> {
        // No authorization value and no data; no outside information; no PCR.
        let request = Request::authorized(0x131, &[hierarchy]).sized(&[0; 4]).sized(&template.0);
        let answer = self.run("TPM2_CreatePrimary", request.sized(&[]).u32(0));
        let mut answer = answer.map_err(|fault| match algorithm {
            KeyAlgorithm::Rsa(4096) => failure!("{fault}; does the profile have RSA-4096? default-v2 and later do"),
            _ => fault,
        })?;
        let transient = answer.u32()?;
        answer.skip(4)?;
        let public = answer.sized()?.to_vec();
        let evict = Request::authorized(0x120, &[OWNER, transient]).u32(handle);
        self.run("TPM2_EvictControl", evict)?;
        self.run("TPM2_FlushContext", Request::new(0x165).u32(transient))?;
        public_key(algorithm, template, &public)
    }

    /// The PCR banks that the TPM has, by name, in its order.
    pub(super) fn pcr_banks(&mut self) -> Result<Vec<&'static str>, Failure> {
        const PCRS: u32 = 5;
        let mut answer = self.run("TPM2_GetCapability", Request::new(0x17A).u32(PCRS).u32(0).u32(64))?;
        answer.skip(1 + 4)?;
        let mut banks = Vec::new();
        for _ in 0..answer.u32()? {
            banks.extend(HashAlg::from_id(answer.u16()?).map(bank_name));
            let size = answer.u8()?;
            answer.skip(usize::from(size))?;
        }
        Ok(banks)
    }
}

const fn bank_name(hash: HashAlg) -> &'static str {
    match hash {
        HashAlg::Sha1 => "sha1",
        HashAlg::Sha256 => "sha256",
        HashAlg::Sha384 => "sha384",
        HashAlg::Sha512 => "sha512",
    }
}

/// The key in the answer to a template: all but the last fields are the template's.
fn public_key(algorithm: KeyAlgorithm, template: &Template, public: &[u8]) -> Result<PublicKey, Failure> {
    let bad = || failure!("the TPM made another key than the one asked for");
    let size = algorithm.size();
    let field = |from_end: usize| {
        let start = public.len().checked_sub(from_end)?;
        let (length, bytes) = public.get(start..)?.split_first_chunk::<2>()?;
        if usize::from(u16::from_be_bytes(*length)) == size { bytes.get(..size).map(<[u8]>::to_vec) } else { None }
    };
    // Type, hash and attributes begin both; the unique fields end both.
    if template.0.get(..8) != public.get(..8) {
        return Err(bad());
    }
    let one = size.saturating_add(2);
    match algorithm {
        KeyAlgorithm::Rsa(_) => Ok(PublicKey::Rsa { modulus: field(one).ok_or_else(bad)?, exponent: 65537 }),
        KeyAlgorithm::Ecc(curve) => {
            let x = field(one.saturating_mul(2)).ok_or_else(bad)?;
            Ok(PublicKey::Ecc { curve, point: Point { x, y: field(one).ok_or_else(bad)? } })
        }
    }
}

/// Makes these PCR banks the active ones, from the next start of the TPM on. Names that the TPM does not know are left
/// out, as long as one remains.
pub fn set_pcr_banks(tpm: &mut Vtpm, banks: &[String], log: &Log) -> Result<(), Failure> {
    let all = tpm.pcr_banks()?;
    let mut active: Vec<&str> = Vec::new();
    for bank in banks {
        match all.iter().find(|known| *known == bank) {
            Some(known) if !active.contains(known) => active.push(known),
            Some(_) => {}
            None => log.error(&format!("The TPM has no PCR bank {bank}; it is left out.")),
        }
    }
    if active.is_empty() {
        return Err(failure!(
            "No PCR banks could be allocated. None of the selected algorithms are supported; {} are.",
            all.join(",")
        ));
    }
    let inactive = all.iter().filter(|bank| !active.contains(bank));
    let wanted = active.iter().map(|bank| (*bank, 0xFF)).chain(inactive.map(|bank| (*bank, 0)));
    let selected: Vec<(HashAlg, u8)> = wanted
        .filter_map(|(bank, bits)| Some((HashAlg::ALL.into_iter().find(|hash| bank_name(*hash) == bank)?, bits)))
        .collect();
    let mut request = Request::authorized(0x12B, &[PLATFORM]).u32(u32::try_from(selected.len()).unwrap_or(0));
    for (hash, bits) in selected {
        request = request.u16(hash.id()).bytes(&[3, bits, bits, bits]);
    }
    let mut answer = tpm.run("TPM2_PCR_Allocate", request)?;
    answer.skip(4)?;
    if answer.u8()? == 0 {
        return Err(failure!("the TPM has no room for the PCR banks {}", active.join(",")));
    }
    log.say(&format!("Successfully activated PCR banks {} among {}.", active.join(","), all.join(",")));
    Ok(())
}
