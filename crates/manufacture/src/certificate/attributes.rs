//! What the TCG's profiles add to certificates: names of TPM and platform, and the specification.

use super::subject::{name, part, utf8};
use super::{Content, Product, Specification};
use crate::failure::{Failure, failure};
use crate::vtpm::Purpose;
use der::asn1::{Any, OctetString, SetOfVec, Uint};
use der::oid::AssociatedOid;
use der::{Decode, Encode, Sequence};
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::{GeneralName, OtherName};
use x509_cert::name::RelativeDistinguishedName;
use x509_cert::spki::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Maker, model and version of a TPM.
const TPM: [ObjectIdentifier; 3] = [oid("2.23.133.2.1"), oid("2.23.133.2.2"), oid("2.23.133.2.3")];
/// Of the platform of a TPM 1.2.
const PLATFORM_1_2: [ObjectIdentifier; 3] = [oid("2.23.133.2.4"), oid("2.23.133.2.5"), oid("2.23.133.2.6")];
/// Of the platform of a TPM 2.0.
const PLATFORM: [ObjectIdentifier; 3] = [oid("2.23.133.5.1.1"), oid("2.23.133.5.1.4"), oid("2.23.133.5.1.5")];
/// tcg-at-tpmSpecification.
const SPECIFICATION: ObjectIdentifier = oid("2.23.133.2.16");
/// id-on-hardwareModuleName (RFC 4108, 5).
const HARDWARE_MODULE: ObjectIdentifier = oid("1.3.6.1.5.5.7.8.4");
/// tcg-sv-tpm20: the module is a TPM 2.0.
const HARDWARE_TPM: ObjectIdentifier = oid("2.23.133.1.2");

/// HardwareModuleName (RFC 4108, 5).
#[derive(Sequence)]
struct HardwareModuleName {
    hw_type: ObjectIdentifier,
    hw_serial: OctetString,
}

/// TPMSpecification of the EK Credential Profile.
#[derive(Sequence)]
struct TpmSpecification {
    family: Any,
    level: Uint,
    revision: Uint,
}

/// SubjectDirectoryAttributes (RFC 5280, 4.2.1.8).
pub(super) struct DirectoryAttributes(Vec<Attribute>);

impl AssociatedOid for DirectoryAttributes {
    const OID: ObjectIdentifier = oid("2.5.29.9");
}

impl Encode for DirectoryAttributes {
    fn encoded_len(&self) -> der::Result<der::Length> {
        self.0.encoded_len()
    }
    fn encode(&self, writer: &mut impl der::Writer) -> der::Result<()> {
        self.0.encode(writer)
    }
}

fn parts(product: &Product, oids: [ObjectIdentifier; 3]) -> Result<Vec<RelativeDistinguishedName>, Failure> {
    let values = [&product.manufacturer, &product.model, &product.version];
    oids.into_iter().zip(values).map(|(oid, value)| part(oid, utf8(value)?)).collect()
}

/// The subject's alternative name.
pub(super) fn alternative_name(content: &Content) -> Result<SubjectAltName, Failure> {
    let tpm = || content.tpm.as_ref().ok_or_else(|| failure!("maker, model and version of the TPM are missing"));
    let platform =
        || content.platform.as_ref().ok_or_else(|| failure!("maker, model and version of the platform are missing"));
    let named = |parts| -> Result<_, Failure> { Ok(vec![GeneralName::DirectoryName(name(parts)?)]) };
    Ok(SubjectAltName(match content.purpose {
        Purpose::Ek => named(parts(tpm()?, TPM)?)?,
        Purpose::Platform if content.tpm2 => named(parts(platform()?, PLATFORM)?)?,
        Purpose::Platform => named([parts(tpm()?, TPM)?, parts(platform()?, PLATFORM_1_2)?].concat())?,
        Purpose::Iak | Purpose::Idevid => {
            let serial = content.device_serial.as_ref();
            let serial = serial.ok_or_else(|| failure!("the serial number of the TPM is missing"))?;
            let module = HardwareModuleName { hw_type: HARDWARE_TPM, hw_serial: OctetString::new(serial.as_bytes())? };
            let module = Any::from_der(&module.to_der()?)?;
            // swtpm puts it in a name; the specifications have another place for it.
            let other = OtherName { type_id: HARDWARE_MODULE, value: module.clone() };
            vec![GeneralName::DirectoryName(name(vec![part(HARDWARE_MODULE, module)?])?), GeneralName::OtherName(other)]
        }
    }))
}

/// The subject's directory attributes.
pub(super) fn directory_attributes(specification: &Specification) -> Result<DirectoryAttributes, Failure> {
    let value = TpmSpecification {
        family: utf8(&specification.family)?,
        level: Uint::new(&specification.level.to_be_bytes())?,
        revision: Uint::new(&specification.revision.to_be_bytes())?,
    };
    let mut values = SetOfVec::new();
    values.insert(Any::from_der(&value.to_der()?)?)?;
    Ok(DirectoryAttributes(vec![Attribute { oid: SPECIFICATION, values }]))
}
