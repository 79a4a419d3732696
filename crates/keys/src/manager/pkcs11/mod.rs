//! `pkcs11:token=…;object=…?module-path=…&pin-source=file:…`: a hardware security module, through its PKCS #11 library.
//!
//! An AES key that never leaves the token encrypts a fresh secret with AES-GCM. Labels with `{vm}` give each VM a key of
//! its own, made when first needed. A library may hang, and nobody can interrupt it: calls run in threads of their own and
//! are given up when their time is over.

mod uri;

use core::time::Duration;
use std::path::PathBuf;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Function, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::RawAuthPin;
use sealwright_state::key::{KeyContext, KeyId, KeyManager, WrappedKey};

use self::uri::{Uri, pin_file};
use super::Scheme;
use crate::address::{Address, AddressFault, Template};
use crate::failure::Failure;
use crate::keeper::{Claim, Envelope, Keeper, Kept};
use crate::local::{Sealed, Stretch};
use crate::secret::{Secret, from_hex};

pub(super) static SCHEMES: &[Scheme] = &[Scheme {
    name: "pkcs11",
    about: "a hardware security module, through its PKCS #11 library",
    example: "pkcs11:token=vtpm;object=vm-{vm}?module-path=/usr/lib/libhsm.so&pin-source=file:/etc/sealwright/pin",
    open: Some(open),
}];

const IV: usize = 12;
/// Calls that hang at once, before no more are tried.
const MOST_STUCK: usize = 8;

fn open(address: &mut Address) -> Result<Box<dyn KeyManager>, AddressFault> {
    let uri = Uri::parse(address)?;
    let module = address.take_path("module-path").ok_or_else(|| address.fault("needs module-path=/path/of/library.so"))?;
    if !module.is_absolute() {
        return Err(address.fault("must have an absolute module-path"));
    }
    let pin = pin_file(address)?;
    let timeout = address.take_timeout()?;
    let token = Token { uri, module, pin, library: Mutex::new(None), refused: Mutex::new(None) };
    Ok(Box::new(Envelope(Hsm { token: Arc::new(token), timeout, running: Arc::new(AtomicUsize::new(0)) })))
}

struct Hsm {
    token: Arc<Token>,
    timeout: Duration,
    running: Arc<AtomicUsize>,
}

/// Everything that a call needs, shared with the threads that make them.
struct Token {
    uri: Uri,
    module: PathBuf,
    pin: PathBuf,
    library: Mutex<Option<Pkcs11>>,
    /// A PIN that the token refused: it is not tried again, or the token would lock itself.
    refused: Mutex<Option<Secret>>,
}

/// Runs `work` in a thread, for at most `timeout`.
fn within<T: Send + 'static>(
    timeout: Duration,
    running: &Arc<AtomicUsize>,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    if running.fetch_add(1, Ordering::Relaxed) >= MOST_STUCK {
        running.fetch_sub(1, Ordering::Relaxed);
        return Err(Failure::unavailable("its library does not come back from earlier calls; restart this program"));
    }
    let (send, receive) = sync_channel(1);
    let count = Arc::clone(running);
    let started = std::thread::Builder::new().name("pkcs11".to_owned()).spawn(move || {
        let done = work();
        count.fetch_sub(1, Ordering::Relaxed);
        drop(send.send(done));
    });
    if let Err(error) = started {
        running.fetch_sub(1, Ordering::Relaxed);
        return Err(Failure::unavailable(format!("no thread can be started: {error}")));
    }
    match receive.recv_timeout(timeout) {
        Ok(done) => done,
        Err(RecvTimeoutError::Timeout) => Err(Failure::timeout(timeout)),
        Err(RecvTimeoutError::Disconnected) => Err(Failure::unavailable("its library failed")),
    }
}

fn explain(error: Error) -> Failure {
    let Error::Pkcs11(code, function) = error else {
        return Failure::unavailable(format!("its library does not work: {error}"));
    };
    match (code, function) {
        (RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            Failure::refused("the token does not accept the PIN; it is not tried again before its file changes, so that the token is not locked")
        }
        (RvError::PinLocked, _) => Failure::refused("the token is locked after too many wrong PINs; its security officer can unlock it"),
        (RvError::PinExpired, _) => Failure::refused("the PIN has expired; set a new one"),
        (RvError::KeyFunctionNotPermitted, _) => Failure::disabled("the token says that the key is not for this"),
        (RvError::MechanismInvalid | RvError::MechanismParamInvalid | RvError::KeyTypeInconsistent, _) => {
            Failure::unusable("the token has no AES-GCM, or the key is no AES key")
        }
        (RvError::TokenNotPresent | RvError::DeviceRemoved | RvError::DeviceError | RvError::DeviceMemory | RvError::HostMemory, _) => {
            Failure::unavailable(format!("the token does not work ({code:?})"))
        }
        (RvError::KeyHandleInvalid | RvError::ObjectHandleInvalid, _) => Failure::not_found("the token has no such key any more"),
        (_, Function::Decrypt | Function::DecryptInit) => Failure::damaged(format!("the token cannot decrypt it ({code:?})")),
        (RvError::AttributeReadOnly | RvError::ActionProhibited | RvError::TokenWriteProtected, _) => {
            Failure::refused(format!("the token does not allow it ({code:?})"))
        }
        _ => Failure::unavailable(format!("{function:?} failed with {code:?}")),
    }
}

impl Token {
    fn library(&self) -> Result<Pkcs11, Failure> {
        let mut library = self.library.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*library {
            return Ok(library.clone());
        }
        let shown = self.module.display();
        let loaded = Pkcs11::new(&self.module).map_err(|e| Failure::unusable(format!("the library {shown} cannot be loaded: {e}")))?;
        match loaded.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another manager of this process uses it too.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(e) => return Err(Failure::unavailable(format!("the library {shown} does not start: {e}"))),
        }
        *library = Some(loaded.clone());
        Ok(loaded)
    }

    fn slot(&self, library: &Pkcs11) -> Result<Slot, Failure> {
        let matches = |slot: &Slot| {
            let Ok(info) = library.get_token_info(*slot) else { return false };
            let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found.trim_end());
            let uri = &self.uri;
            same(&uri.token, info.label())
                && same(&uri.manufacturer, info.manufacturer_id())
                && same(&uri.model, info.model())
                && same(&uri.serial, info.serial_number())
                && uri.slot.is_none_or(|wanted| wanted == slot.id())
        };
        let found: Vec<Slot> = library.get_slots_with_token().map_err(explain)?.into_iter().filter(matches).collect();
        match found.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(Failure::unavailable("no token fits the address; is it plugged in, and its service running?")),
            _ => Err(Failure::unusable("several tokens fit the address; add serial=")),
        }
    }

    /// A session that is logged in.
    fn session(&self) -> Result<Session, Failure> {
        let library = self.library()?;
        let session = library.open_rw_session(self.slot(&library)?).map_err(explain)?;
        let pin = Secret::read_file(&self.pin)?;
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.as_ref().is_some_and(|refused| *refused == pin) {
            return Err(explain(Error::Pkcs11(RvError::PinIncorrect, Function::Login)));
        }
        match session.login_with_raw(UserType::User, &RawAuthPin::new(Box::new(pin.line().to_vec()))) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => *refused = None,
            Err(error) => {
                if matches!(error, Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) {
                    *refused = Some(pin);
                }
                return Err(explain(error));
            }
        }
        Ok(session)
    }

    /// The AES key that a wrapped key's name stands for.
    fn find(session: &Session, name: &Name) -> Result<ObjectHandle, Failure> {
        let which = match name {
            Name::Label(label) => Attribute::Label(label.clone().into_bytes()),
            Name::Id(id) => Attribute::Id(id.clone()),
        };
        let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::KeyType(KeyType::AES), which];
        match session.find_objects(&template).map_err(explain)?.as_slice() {
            [key] => Ok(*key),
            [] => Err(Failure::not_found("the token has no such AES key")),
            _ => Err(Failure::unusable("several keys of the token have this name; give the right one a name of its own")),
        }
    }

    fn make(session: &Session, label: &str) -> Result<ObjectHandle, Failure> {
        let template = [
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            Attribute::Label(label.as_bytes().to_vec()),
        ];
        session.generate_key(&Mechanism::AesKeyGen, &template).map_err(explain)
    }

    /// IV and ciphertext.
    fn encrypt(&self, name: &Name, make: bool, bound: &[u8], secret: &Secret) -> Result<Vec<u8>, Failure> {
        let session = self.session()?;
        let key = match (Self::find(&session, name), name) {
            (Err(failure), Name::Label(label)) if make && failure.is_about_the_key() => Self::make(&session, label)?,
            (found, _) => found?,
        };
        let mut iv = [0; IV];
        crate::secret::random(&mut iv)?;
        let parameters = GcmParams::new(&mut iv, bound, 128.into()).map_err(explain)?;
        let sealed = session.encrypt(&Mechanism::AesGcm(parameters), key, secret.bytes()).map_err(explain)?;
        // Some tokens put an IV of their own in its place.
        Ok([&iv[..], &sealed].concat())
    }

    fn decrypt(&self, name: &Name, bound: &[u8], token: &[u8]) -> Result<Secret, Failure> {
        let (iv, sealed) = token.split_at_checked(IV).ok_or_else(|| Failure::damaged("its ciphertext is cut off"))?;
        let session = self.session()?;
        let key = Self::find(&session, name)?;
        let mut iv = iv.to_vec();
        let parameters = GcmParams::new(&mut iv, bound, 128.into()).map_err(explain)?;
        session.decrypt(&Mechanism::AesGcm(parameters), key, sealed).map(Secret::new).map_err(explain)
    }

    fn destroy(&self, name: &Name) -> Result<(), Failure> {
        let session = self.session()?;
        session.destroy_object(Self::find(&session, name)?).map_err(explain)
    }

    fn disable(&self, name: &Name) -> Result<(), Failure> {
        let session = self.session()?;
        let off = [Attribute::Decrypt(false), Attribute::Encrypt(false)];
        session.update_attributes(Self::find(&session, name)?, &off).map_err(explain)
    }
}

/// A key of the token, by its label or its CKA_ID.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Label(String),
    Id(Vec<u8>),
}

impl Name {
    fn parse(key: &KeyId) -> Option<Self> {
        match key.as_str().split_once('=')? {
            ("object", label) => Some(Self::Label(label.to_owned())),
            ("id", hex) => Some(Self::Id(from_hex(hex.as_bytes())?.to_vec())),
            _ => None,
        }
    }
}

impl Hsm {
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Token) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let token = Arc::clone(&self.token);
        within(self.timeout, &self.running, move || work(&token))
    }

    fn template(&self) -> Option<&Template> {
        self.token.uri.object.as_ref()
    }

    fn own(&self, key: &KeyId, verb: &str) -> Result<Name, Failure> {
        let name = Name::parse(key).ok_or_else(|| Failure::not_found("that names no key of a token"))?;
        match (&name, self.template()) {
            (Name::Label(label), Some(template)) if template.made(label) => Ok(name),
            _ => Err(Failure::unsupported(format!("{verb} the key {key}, because other VMs may use it"))),
        }
    }
}

impl Keeper for Hsm {
    fn name(&self) -> &'static str {
        "pkcs11"
    }

    fn key(&self, context: &KeyContext) -> KeyId {
        let name = match (self.template(), &self.token.uri.id) {
            (_, Some(id)) => format!("id={}", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            (Some(template), None) => format!("object={}", template.fill(context)),
            (None, None) => String::new(),
        };
        KeyId::new(name).unwrap_or_default()
    }

    fn keep(&self, context: &KeyContext) -> Result<Kept, Failure> {
        let key = self.key(context);
        let name = Name::parse(&key).ok_or_else(|| Failure::unusable("the name of the key is too long"))?;
        let make = self.template().is_some_and(Template::is_per_vm);
        let (secret, bound) = (Secret::random::<32>()?, context.bytes());
        let (secret, token) = self.call(move |token| {
            let sealed = token.encrypt(&name, make, &bound, &secret)?;
            Ok((secret, sealed))
        })?;
        Ok(Kept { key, version: 0, secret, stretch: Stretch::Key, token })
    }

    fn recover(&self, claim: &Claim<'_>) -> Result<Secret, Failure> {
        let name = Name::parse(claim.key).ok_or_else(|| Failure::damaged("it names no key of a token"))?;
        let (bound, sealed) = (claim.context.bytes(), claim.token.to_vec());
        self.call(move |token| token.decrypt(&name, &bound, &sealed))
    }

    fn is_outdated(&self, wrapped: &WrappedKey, _sealed: &Sealed<'_>) -> bool {
        match (Name::parse(&wrapped.key_id), &self.token.uri.id, self.template()) {
            (Some(Name::Id(id)), Some(wanted), _) => id != *wanted,
            (Some(Name::Label(label)), None, Some(template)) => !template.names(&label),
            _ => true,
        }
    }

    fn destroy(&self, key: &KeyId) -> Result<(), Failure> {
        let name = self.own(key, "destroy")?;
        self.call(move |token| token.destroy(&name))
    }

    /// Takes the right to decrypt from the key. The token's owner can give it back.
    fn disable(&self, key: &KeyId) -> Result<(), Failure> {
        let name = self.own(key, "disable")?;
        self.call(move |token| token.disable(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::tpm_of;
    use crate::testing::folder;
    use sealwright_state::{DataKey, KeyError};

    #[test]
    fn a_library_that_hangs_is_left_alone() {
        let running = Arc::new(AtomicUsize::new(0));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        for _ in 0..MOST_STUCK {
            let held = Arc::clone(&held);
            let stuck = within(Duration::from_millis(10), &running, move || {
                let _ = held.lock().unwrap().recv();
                Ok(())
            });
            assert_eq!(stuck, Err(Failure::timeout(Duration::from_millis(10))));
        }
        let refused = within(Duration::from_secs(5), &running, || Ok(())).unwrap_err();
        assert!(refused.to_string().contains("restart"), "{refused}");
        drop(hold);
        while running.load(Ordering::Relaxed) > 0 {
            std::thread::yield_now();
        }
        within(Duration::from_secs(5), &running, || Ok(())).unwrap();
        let failed = within::<()>(Duration::from_secs(5), &running, || panic!("as a library may"));
        assert!(failed.unwrap_err().to_string().contains("failed"));
    }

    #[test]
    fn a_missing_library_is_named() {
        let folder = folder("pkcs11");
        std::fs::write(folder.path("pin"), "1234").unwrap();
        let options = format!("module-path=/proc/nonexistent/hsm.so&pin-source=file:{}", folder.path("pin").display());
        let manager = crate::open(&format!("pkcs11:token=t;object=k?{options}")).unwrap();
        let error = manager.wrap(&tpm_of("a"), &DataKey::new([1; 32])).unwrap_err();
        assert!(matches!(error, KeyError::Unusable { .. }) && error.to_string().contains("/proc/nonexistent/hsm.so"), "{error}");
    }

    #[test]
    fn addresses_are_checked() {
        let refused = |address: &str| crate::open(address).err().unwrap().to_string();
        assert!(refused("pkcs11:token=t;object=k").contains("module-path"));
        assert!(refused("pkcs11:token=t;object=k?module-path=/m.so").contains("pin-source"));
        assert!(refused("pkcs11:token=t;object=k?module-path=/m.so&pin-source=pipe:x").contains("only files"));
    }
}
