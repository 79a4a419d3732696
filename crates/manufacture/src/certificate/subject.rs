//! Names of subjects.

use crate::failure::{Failure, failure};
use der::asn1::{Any, PrintableString, SetOfVec, Utf8StringRef};
use der::{Decode, Encode, Tag};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::spki::ObjectIdentifier;

/// Attributes by the names that are usual for them (X.520, RFC 4519), and whether only PrintableString is allowed.
const ATTRIBUTES: [(&str, &str, bool); 15] = [
    ("CN", "2.5.4.3", false),
    ("SN", "2.5.4.4", false),
    ("serialNumber", "2.5.4.5", true),
    ("C", "2.5.4.6", true),
    ("L", "2.5.4.7", false),
    ("ST", "2.5.4.8", false),
    ("street", "2.5.4.9", false),
    ("O", "2.5.4.10", false),
    ("OU", "2.5.4.11", false),
    ("title", "2.5.4.12", false),
    ("description", "2.5.4.13", false),
    ("name", "2.5.4.41", false),
    ("GN", "2.5.4.42", false),
    ("dnQualifier", "2.5.4.46", true),
    ("UID", "0.9.2342.19200300.100.1.1", false),
];

/// One attribute as a part of a name.
pub(super) fn part(oid: ObjectIdentifier, value: Any) -> Result<RelativeDistinguishedName, Failure> {
    let mut set = SetOfVec::new();
    set.insert(AttributeTypeAndValue { oid, value })?;
    Ok(RelativeDistinguishedName::from(set))
}

/// A text as UTF8String.
pub(super) fn utf8(text: &str) -> Result<Any, Failure> {
    Ok(Any::new(Tag::Utf8String, Utf8StringRef::new(text)?.as_str().as_bytes())?)
}

/// A name of parts, in their order.
pub(super) fn name(parts: Vec<RelativeDistinguishedName>) -> Result<Name, Failure> {
    Ok(Name::from_der(&RdnSequence::from(parts).to_der()?)?)
}

fn attribute(attribute: &str, value: &str) -> Result<RelativeDistinguishedName, Failure> {
    let found = ATTRIBUTES.iter().find(|(known, _, _)| known.eq_ignore_ascii_case(attribute));
    let (_, oid, printable) =
        found.ok_or_else(|| failure!("the subject has the attribute {attribute}, which is not known"))?;
    let oid = ObjectIdentifier::new(oid).map_err(|error| failure!("{attribute}: {error}"))?;
    if value.is_empty() {
        return Err(failure!("the subject has the attribute {attribute} without a value"));
    }
    // What does not fit in a PrintableString is written all the same, as swtpm does.
    let strict = if *printable { PrintableString::new(value).ok() } else { None };
    part(
        oid,
        match strict {
            Some(text) => Any::from_der(&text.to_der()?)?,
            None => utf8(value)?,
        },
    )
}

/// A name with one attribute.
pub fn single(kind: &str, value: &str) -> Result<Name, Failure> {
    name(vec![attribute(kind, value)?])
}

/// A name such as `CN=vm,O=Example`.
pub fn parse(text: &str) -> Result<Name, Failure> {
    let mut parts = Vec::new();
    for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let (kind, value) =
            word.split_once('=').ok_or_else(|| failure!("the subject has '{word}', which is no NAME=VALUE"))?;
        parts.push(attribute(kind.trim(), value.trim())?);
    }
    name(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        let name = parse("CN=swtpm, serialNumber=123,O=test,ou=test").unwrap();
        assert_eq!(name.to_string(), "OU=test,O=test,SERIALNUMBER=123,CN=swtpm");
        assert_eq!(single("CN", "vm:1,x=+").unwrap().len(), 1);
        assert!(parse("").unwrap().is_empty());
        for wrong in ["CN", "nothing=1", "CN="] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
