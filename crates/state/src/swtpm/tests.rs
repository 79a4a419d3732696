//! Files of swtpm's own test suite, and what this writes itself.

use super::*;
use crate::disk::{Disk as _, HostFolder, How};
use sealwright_crypto::{BlockCipher, CipherMode, HashAlg, RUST};
use std::path::{Path, PathBuf};

const PASSPHRASE: &[u8] = b"mypassword";
/// Every blob of libtpms begins with a version and a magic number.
const PERMALL: [u8; 4] = [0xAB, 0x36, 0x47, 0x23];
const VOLATILE: [u8; 4] = [0x45, 0x63, 0x78, 0x89];

fn is_blob(blob: &[u8], magic: [u8; 4]) -> bool {
    blob.get(2..6) == Some(&magic)
}

fn vector(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/swtpm").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn keys() -> [(&'static str, SwtpmKey); 2] {
    [
        ("state2", SwtpmKey::from_passphrase(PASSPHRASE, Kdf::Sha512, KeySize::Aes128)),
        ("state2b", SwtpmKey::from_passphrase(PASSPHRASE, Kdf::Pbkdf2, KeySize::Aes256)),
    ]
}

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sealwright-swtpm-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn encrypted_files_of_swtpm_open() {
    for (name, key) in keys() {
        let size = if name == "state2" { KeySize::Aes128 } else { KeySize::Aes256 };
        let permanent = vector(&format!("{name}.permall"));
        assert_eq!(protection(&permanent).unwrap(), Protection::Encrypted(size));
        assert!(is_blob(&open(&permanent, Some(&key)).unwrap(), PERMALL), "{name}");
        let volatile = vector(&format!("{name}.volatilestate"));
        assert!(is_blob(&open(&volatile, Some(&key)).unwrap(), VOLATILE), "{name}");
        assert_eq!(open(&permanent, None), Err(SwtpmError::KeyMissing { what: "state key" }));
        let other = SwtpmKey::from_passphrase(b"other", Kdf::Pbkdf2, size);
        assert_eq!(open(&permanent, Some(&other)), Err(SwtpmError::WrongKey { what: "state key" }));
    }
    let [(_, short), (_, long)] = keys();
    let fault = open(&vector("state2.permall"), Some(&long)).unwrap_err();
    assert_eq!(fault, SwtpmError::KeySize { what: "state key", needed: 128, given: 256 });
    assert!(open(&vector("state2b.permall"), Some(&short)).is_err());
}

#[test]
fn a_blob_of_a_migration_opens() {
    let key = SwtpmKey::from_passphrase(b"migration", Kdf::Sha512, KeySize::Aes128);
    let bytes = vector("migkey1.volatilestate");
    assert!(is_blob(&unwrap_migration(&bytes, None, Some(&key)).unwrap(), VOLATILE));
    assert_eq!(unwrap_migration(&bytes, None, None), Err(SwtpmError::KeyMissing { what: "migration key" }));
    assert!(open(&bytes, None).is_err());
}

#[test]
fn what_was_sealed_opens() {
    let [(_, short), (_, long)] = keys();
    for size in [0, 1, 15, 16, 31, 32, 33, 1000] {
        let blob = vec![7; size];
        for key in [None, Some(&short), Some(&long)] {
            let file = seal(&blob, key).unwrap();
            assert_eq!(*open(&file, key).unwrap(), blob);
            for migration in [None, Some(&short), Some(&long)] {
                let sent = wrap_migration(&blob, key, migration).unwrap();
                assert_eq!(*unwrap_migration(&sent, key, migration).unwrap(), blob);
            }
        }
        // Not encrypted, to a TPM that has keys.
        let sent = wrap_migration(&blob, None, None).unwrap();
        assert_eq!(*unwrap_migration(&sent, Some(&short), Some(&long)).unwrap(), blob);
    }
    assert_eq!(open(&seal(b"x", None).unwrap(), Some(&short)), Err(SwtpmError::NotEncrypted));
    assert!(matches!(seal(&vec![0; MAX_BLOB], None), Err(SwtpmError::TooLarge { .. })));
}

#[test]
fn files_of_first_versions_have_no_header() {
    let [(_, short), _] = keys();
    for name in ["state2.permall", "state2.volatilestate"] {
        let blob = open(&vector(name), Some(&short)).unwrap();
        assert_eq!(open(&blob, None).unwrap(), blob);
        // Encrypted: digest and blob, padded, with no IV.
        let digest = RUST.hash.digest(HashAlg::Sha256, &[&blob]);
        let mut plain = [&digest[..], &blob].concat();
        let pad = 16 - plain.len() % 16;
        plain.resize(plain.len() + pad, u8::try_from(pad).unwrap());
        RUST.cipher.crypt(BlockCipher::Aes, CipherMode::Cbc, true, short.bytes(), &mut [0; 16], &mut plain).unwrap();
        assert_eq!(open(&plain, Some(&short)).unwrap(), blob);
        plain[100] ^= 1;
        assert!(open(&plain, Some(&short)).is_err() && open(&plain, None).is_err());
    }
    assert!(open(&[0; 100], None).is_err());
}

#[test]
fn the_plain_format_is_fixed() {
    let expected = [2, 1, 0, 10, 0, 0, 0, 0, 0, 19, 0, 1, 0, 0, 0, 3, b'a', b'b', b'c'];
    assert_eq!(*seal(b"abc", None).unwrap(), expected);
}

#[test]
fn every_change_of_an_encrypted_file_is_noticed() {
    let [(_, key), _] = keys();
    let file = seal(b"the state of a TPM", Some(&key)).unwrap();
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut damaged = file.to_vec();
            damaged[at] ^= 1 << bit;
            // The header has versions and flags that mean nothing here; what is inside is authenticated.
            if let Ok(blob) = open(&damaged, Some(&key)) {
                assert!(at < 10 && *blob == b"the state of a TPM"[..], "byte {at}");
            }
        }
    }
    for len in 0..file.len() {
        assert!(open(&file[..len], Some(&key)).is_err());
    }
}

#[test]
fn a_linear_file_of_swtpm_opens_and_is_written() {
    let path = folder("linear").join("tpm");
    std::fs::write(&path, vector("state8.linear")).unwrap();
    let mut linear = Linear::open(&path, None, false).unwrap();
    linear.lock().unwrap();
    let permanent = linear.read(Part::Permanent).unwrap().unwrap();
    assert!(is_blob(&open(&permanent, None).unwrap(), PERMALL));
    assert!(linear.read(Part::Volatile).unwrap().is_none());
    linear.store(&[(Part::Volatile, b"running"), (Part::Permanent, &permanent)]).unwrap();
    assert_eq!(*linear.read(Part::Volatile).unwrap().unwrap(), *b"running");
    assert_eq!(linear.read(Part::Permanent).unwrap().unwrap(), permanent);
    // Two sections without a gap, each a power of two.
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 192 + 8 + permanent.len().next_power_of_two() as u64);
    drop(linear);
    assert_eq!(Linear::open(&path, None, false).unwrap().read(Part::Permanent).unwrap().unwrap(), permanent);
}

type Change<'a> = &'a dyn Fn(&mut Vec<u8>);

#[test]
fn damaged_linear_files_are_refused() {
    let path = folder("damaged").join("tpm");
    let good = vector("state8.linear");
    let with = |change: Change<'_>| {
        let mut bytes = good.clone();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        Linear::open(&path, None, false).map(|_| ())
    };
    with(&|_| {}).unwrap();
    let changes: [Change<'_>; 8] = [
        &|b| b[0] ^= 1,
        &|b| b[8] = 2,
        &|b| b[10] = 191,
        &|b| b[12..16].fill(0xFF),
        &|b| b[16..20].fill(0xFF),
        &|b| b[20..24].fill(0xFF),
        &|b| b.truncate(191),
        // A second part in the same place.
        &|b| b.copy_within(12..24, 24),
    ];
    for (number, change) in changes.iter().enumerate() {
        assert!(with(change).is_err(), "change {number}");
    }
    assert!(matches!(with(&|b| b.clear()), Err(SwtpmError::Empty { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Linear::open(&path, None, false), Err(SwtpmError::Missing { .. })));
}

#[test]
fn on_a_device_the_old_state_stays_until_the_new_one_is_there() {
    let path = folder("device");
    let disk = HostFolder::open(&path, None).unwrap();
    // A file in the place of a device: it has a size of its own and is never replaced.
    let file = disk.open("disk", How::New).unwrap();
    file.write_at(64 * 1024 - 1, &[0]).unwrap();
    let mut linear = Linear::on(&path.join("disk"), Box::new(disk), "disk".to_owned(), true, true).unwrap();
    for round in 1..20u8 {
        let before = std::fs::read(path.join("disk")).unwrap();
        let blob = vec![round; 10_000];
        linear.store(&[(Part::Permanent, &blob)]).unwrap();
        assert_eq!(*linear.read(Part::Permanent).unwrap().unwrap(), blob);
        // With the old header the old state is still there.
        let mut torn = std::fs::read(path.join("disk")).unwrap();
        torn[..192].copy_from_slice(&before[..192]);
        if round > 1 {
            let offset = u32::from_le_bytes(torn[12..16].try_into().unwrap()) as usize;
            assert_eq!(torn[offset..offset + 10_000], vec![round - 1; 10_000]);
        }
    }
    assert!(matches!(linear.store(&[(Part::Permanent, &[0; 60_000])]), Err(SwtpmError::TooLarge { .. })));
}

#[test]
fn a_linear_file_is_updated_in_place_without_gaps() {
    use std::os::unix::fs::MetadataExt;
    let path = folder("linear-update").join("tpm");
    let mut linear = Linear::open(&path, None, true).unwrap();
    let inode = std::fs::metadata(&path).unwrap().ino();
    for round in 1..40usize {
        let blob = vec![u8::try_from(round).unwrap(); round * 613 % 5000 + 1];
        let before = std::fs::read(&path).unwrap();
        linear.update(Part::Permanent, Some(&blob)).unwrap();
        // With the old header the old parts are still there.
        let mut torn = std::fs::read(&path).unwrap();
        torn[..192].copy_from_slice(&before[..192]);
        std::fs::write(path.with_extension("torn"), &torn).unwrap();
        let old = Linear::open(&path.with_extension("torn"), None, false).unwrap();
        let permanent = old.read(Part::Permanent).unwrap();
        assert!(permanent.is_none_or(|bytes| bytes.iter().all(|byte| usize::from(*byte) == round - 1)));
        match round % 3 {
            0 => linear.update(Part::Volatile, Some(&[0xEE; 700])).unwrap(),
            1 => linear.update(Part::Volatile, None).unwrap(),
            _ => {}
        }
        assert_eq!(*linear.read(Part::Permanent).unwrap().unwrap(), blob);
        assert_eq!(linear.part_size(Part::Permanent).unwrap(), Some(blob.len() as u64));
        assert_eq!(linear.part_size(Part::Volatile).unwrap().is_some(), round % 3 == 0);
        let now = std::fs::read(&path).unwrap();
        let number = |at: usize| u32::from_le_bytes(now[at..at + 4].try_into().unwrap());
        let entries: Vec<_> = (12..192).step_by(12).map(|at| (number(at), number(at + 8))).collect();
        let used = || entries.iter().filter(|(offset, _)| *offset != 0);
        let (first, last) = (used().map(|(offset, _)| offset).min(), used().map(|(offset, size)| offset + size).max());
        assert_eq!(last.unwrap() - first.unwrap(), used().map(|(_, size)| size).sum::<u32>(), "no gaps");
    }
    let metadata = std::fs::metadata(&path).unwrap();
    assert_eq!(metadata.ino(), inode);
    assert!(metadata.len() < 192 + 4 * 16384, "{}", metadata.len());
}

#[test]
fn a_backup_is_what_was_there_before() {
    let path = folder("backup");
    let state = Folder::open(&path, None).unwrap().with_backup(true).with_sync(false);
    state.write(Part::Permanent, b"one").unwrap();
    assert_eq!(state.read_backup(), Ok(None));
    state.write(Part::Permanent, b"two").unwrap();
    state.write(Part::Volatile, b"running").unwrap();
    assert_eq!(*state.read_backup().unwrap().unwrap(), *b"one");
    assert_eq!(state.size(Part::Permanent), Ok(Some(3)));
    assert_eq!(state.size(Part::Save), Ok(None));
}

#[test]
fn a_folder_is_read_and_written() {
    let path = folder("folder");
    let mut state = Folder::open(&path, None).unwrap();
    state.lock().unwrap();
    assert_eq!(state.read(Part::Permanent), Ok(None));
    state.write(Part::Permanent, b"one").unwrap();
    state.write(Part::Permanent, b"two").unwrap();
    assert_eq!(*state.read(Part::Permanent).unwrap().unwrap(), *b"two");
    let names = |path: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&path), [".lock", "tpm2-00.permall"]);
    assert!(matches!(Folder::open(&path, None).unwrap().lock(), Err(SwtpmError::Locked { .. })));
    // swtpm was told to keep a backup, and the power went.
    std::fs::write(path.join("tpm2-00.permall.bak"), b"backup").unwrap();
    assert_eq!(*state.read(Part::Permanent).unwrap().unwrap(), *b"two");
    std::fs::write(path.join("tpm2-00.permall"), b"").unwrap();
    assert_eq!(*state.read(Part::Permanent).unwrap().unwrap(), *b"backup");
    std::fs::remove_file(path.join("tpm2-00.permall.bak")).unwrap();
    assert!(matches!(state.read(Part::Permanent), Err(SwtpmError::Empty { .. })));
    state.remove(Part::Permanent).unwrap();
    state.remove(Part::Permanent).unwrap();
    assert_eq!(state.read(Part::Permanent), Ok(None));
}
