//! PKCS #11 URIs (RFC 7512), as far as they name a module, a token and a key.

use crate::address::{Address, AddressFault, Template, decode, decode_bytes};

/// What the path of a URI says. All that is given must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Uri {
    pub(super) token: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) slot: Option<u64>,
    pub(super) object: Option<Template>,
    pub(super) id: Option<Vec<u8>>,
}

impl Uri {
    pub(super) fn parse(address: &Address) -> Result<Self, AddressFault> {
        let mut uri = Self::default();
        for part in address.place.split(';').filter(|part| !part.is_empty()) {
            let Some((name, text)) = part.split_once('=') else {
                return Err(address.fault(format!("has the attribute {part:?} without a value (RFC 7512)")));
            };
            let value = decode(text);
            let unfit = || address.fault(format!("has a value of {name} that is not valid"));
            let set = |place: &mut Option<String>| {
                let value = value.clone().ok_or_else(unfit)?;
                match place.replace(value) {
                    None => Ok(()),
                    Some(_) => Err(address.fault(format!("has the attribute {name} twice"))),
                }
            };
            match name {
                "token" => set(&mut uri.token)?,
                "manufacturer" => set(&mut uri.manufacturer)?,
                "model" => set(&mut uri.model)?,
                "serial" => set(&mut uri.serial)?,
                "slot-id" => uri.slot = Some(text.parse().map_err(|_| unfit())?),
                "object" => {
                    let mut object = None;
                    set(&mut object)?;
                    uri.object = object.map(Template::new);
                }
                "id" => uri.id = Some(decode_bytes(text).ok_or_else(unfit)?),
                "type" if value.as_deref() == Some("secret-key") => {}
                "type" => return Err(address.fault("must name a key of type=secret-key: an AES key wraps")),
                "library-manufacturer" | "library-description" | "library-version" | "slot-description"
                | "slot-manufacturer" => {
                    return Err(address.fault(format!("has the attribute {name}; name the module by module-path instead")));
                }
                _ => return Err(address.fault(format!("has the attribute {name}, which RFC 7512 does not know"))),
            }
        }
        match (&uri.token, &uri.serial, uri.slot) {
            (None, None, None) => return Err(address.fault("must say which token: token=, serial= or slot-id=")),
            _ if uri.object.is_none() && uri.id.is_none() => {
                return Err(address.fault("must say which key: object=LABEL or id=%01%02"));
            }
            _ => {}
        }
        if uri.id.is_some() && uri.object.as_ref().is_some_and(Template::is_per_vm) {
            return Err(address.fault("cannot have both id= and an object= with {vm}"));
        }
        Ok(uri)
    }
}

/// The file that `pin-source` names: a path, or a `file:` URI.
pub(super) fn pin_file(address: &mut Address) -> Result<std::path::PathBuf, AddressFault> {
    let Some(source) = address.take("pin-source") else {
        return Err(address.fault("needs pin-source=file:/path/of/the/pin"));
    };
    let path = source.strip_prefix("file://").or_else(|| source.strip_prefix("file:")).unwrap_or(&source);
    match path.starts_with('/') {
        true => Ok(path.into()),
        false => Err(address.fault(format!("has pin-source={source}; only files are supported, as file:/path/of/the/pin"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Uri, String> {
        Uri::parse(&Address::parse(text).unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn reads_rfc_7512() {
        let uri = parse("pkcs11:token=The%20token;object=kek;type=secret-key;id=%01%ff?x=1").unwrap();
        assert_eq!(uri.token.as_deref(), Some("The token"));
        assert_eq!(uri.object, Some(Template::new("kek")));
        assert_eq!(uri.id, Some(vec![1, 255]));
    }

    #[test]
    fn says_what_is_wrong() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert!(wrong("pkcs11:object=kek").contains("which token"));
        assert!(wrong("pkcs11:token=t").contains("which key"));
        assert!(wrong("pkcs11:token=t;token=u;object=k").contains("twice"));
        assert!(wrong("pkcs11:token=t;object=k;type=private").contains("secret-key"));
        assert!(wrong("pkcs11:token=t;object=k;colour=red").contains("does not know"));
        assert!(wrong("pkcs11:token=t;object=k-{vm};id=%01").contains("both"));
        let pin = Address::parse("pkcs11:token=t;object=k?pin-value=1234").unwrap_err().to_string();
        assert!(pin.contains("must not hold a secret") && !pin.contains("1234"), "{pin}");
    }
}
