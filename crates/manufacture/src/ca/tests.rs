use super::*;
use crate::Log;
use crate::certificate::Serial;
use crate::config::Config;
use std::path::PathBuf;

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("sealwright-ca-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn settings(&self, more: &str) -> Settings {
        let folder = self.0.display();
        let text =
            format!("statedir={folder}\nsigningkey={folder}/sub/key.pem\nissuercert={folder}/issuer.pem\n{more}");
        Settings::of(&Config::of_text(&text), Path::new("test.conf")).unwrap()
    }

    fn log(&self) -> Log {
        Log::new(Some(&self.0.join("log"))).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Keys of OpenSSL 3, and what they are.
fn openssl(arguments: &[&str]) -> Vec<u8> {
    let done = std::process::Command::new("openssl").args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

#[test]
fn keys_in_all_usual_forms_are_read_and_sign() {
    let rsa = openssl(&["genrsa", "-traditional", "2048"]);
    let p256 = openssl(&["ecparam", "-name", "prime256v1", "-genkey", "-noout"]);
    let folder = Folder::new("forms");
    let path = folder.0.join("key");
    for (key, hash) in [(rsa, HashAlg::Sha256), (p256, HashAlg::Sha256)] {
        std::fs::write(&path, &key).unwrap();
        let file = path.to_str().unwrap();
        let plain = openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", file]);
        let sealed = openssl(&["pkcs8", "-topk8", "-in", file, "-passout", "pass:secret"]);
        let first = SigningKey::from_pem(&key, None).unwrap();
        let kind = if key.starts_with(b"-----BEGIN RSA") { "rsa" } else { "ec" };
        let legacy = ["-aes-256-cbc", "-aes-128-cbc", "-des3"].map(|cipher| {
            let mut arguments = vec![kind, cipher, "-in", file, "-passout", "pass:secret"];
            arguments.extend((kind == "rsa").then_some("-traditional"));
            openssl(&arguments)
        });
        let secret = Some(&b"secret"[..]);
        for (text, password) in
            [(&plain, None), (&sealed, secret)].into_iter().chain(legacy.iter().map(|text| (text, secret)))
        {
            let other = SigningKey::from_pem(text, password).unwrap();
            assert_eq!(other.public(), first.public());
            assert_eq!(other.hash(), hash);
            assert!(!other.sign(hash, b"message").unwrap().is_empty());
        }
        for sealed in [&sealed, &legacy[0]] {
            assert!(SigningKey::from_pem(sealed, None).unwrap_err().0.contains("no password"));
            assert!(SigningKey::from_pem(sealed, Some(b"other")).is_err());
        }
    }
    let legacy = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: RC4,00\n\nAAAA\n\
        -----END RSA PRIVATE KEY-----\n";
    assert!(SigningKey::from_pem(legacy, Some(b"x")).unwrap_err().0.contains("openssl pkcs8"));
    assert!(SigningKey::from_pem(b"nothing", None).unwrap_err().0.contains("no private key"));
}

#[test]
fn keys_that_are_written_are_read_again_here_and_by_openssl() {
    let key = SigningKey::generate_rsa(2048).unwrap();
    let folder = Folder::new("written");
    let path = folder.0.join("key");
    for password in [None, Some("a password")] {
        let pem = key.to_pem(password.map(str::as_bytes)).unwrap();
        assert_eq!(pem.contains("ENCRYPTED"), password.is_some());
        let again = SigningKey::from_pem(pem.as_bytes(), password.map(str::as_bytes)).unwrap();
        assert_eq!(again.public(), key.public());
        std::fs::write(&path, pem.as_bytes()).unwrap();
        let pass = format!("pass:{}", password.unwrap_or_default());
        let checked = openssl(&["rsa", "-check", "-noout", "-in", path.to_str().unwrap(), "-passin", &pass]);
        assert!(String::from_utf8_lossy(&checked).contains("RSA key ok"));
    }
}

#[test]
fn a_local_ca_is_made_once_and_its_numbers_are_unique() {
    let folder = Folder::new("local");
    let settings = folder.settings("signingkey_password = secret # not told\n");
    assert!(!format!("{settings:?}").contains("secret"));
    let mut ca = LocalCa::open(settings.clone(), &folder.log()).unwrap();
    let names =
        ["sub/key.pem", "issuer.pem", "sub/swtpm-localca-rootca-privkey.pem", "sub/swtpm-localca-rootca-cert.pem"];
    let files: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(folder.0.join(name)).unwrap()).collect();
    assert!(String::from_utf8_lossy(&files[0]).contains("ENCRYPTED PRIVATE KEY"));
    let file = |name: &str| folder.0.join(name).display().to_string();
    openssl(&["verify", "-CAfile", &file(names[3]), &file(names[1])]);
    let first = ca.next_serial().unwrap();
    assert_eq!(first.to_string().len(), 20);

    // Several at once, as several machines may be made at once.
    let mut serials: Vec<String> = std::thread::scope(|scope| {
        let run = || {
            let mut ca = LocalCa::open(settings.clone(), &folder.log()).unwrap();
            (0..20).map(|_| ca.next_serial().unwrap().to_string()).collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 80);
    let now: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(folder.0.join(name)).unwrap()).collect();
    assert_eq!(now, files);

    // After the largest number, and after something that is none, there is a new beginning.
    for broken in ["1461501637330902918203684832716283019655932542975", "text"] {
        std::fs::write(folder.0.join("certserial"), broken).unwrap();
        assert_eq!(ca.next_serial().unwrap().to_string().len(), 20);
    }
    std::fs::write(folder.0.join("certserial"), "41").unwrap();
    assert_eq!(ca.next_serial().unwrap(), Serial::parse("42").unwrap());
    // Several at once; and what a run that was killed left behind goes away.
    std::fs::write(folder.0.join(".certserial.0123456789ab"), "17").unwrap();
    std::fs::write(folder.0.join(".certserial.mine"), "17").unwrap();
    ca.reserve(3).unwrap();
    assert_eq!(std::fs::read(folder.0.join("certserial")).unwrap(), b"45");
    let taken: Vec<String> = (0..4).map(|_| ca.next_serial().unwrap().to_string()).collect();
    assert_eq!(taken, ["43", "44", "45", "46"]);
    assert!(!folder.0.join(".certserial.0123456789ab").exists() && folder.0.join(".certserial.mine").exists());

    // The key and its certificate go; the root stays, and so does who trusts it.
    std::fs::remove_file(folder.0.join(names[0])).unwrap();
    let remade = LocalCa::open(settings.clone(), &folder.log()).unwrap();
    assert_eq!(std::fs::read(folder.0.join(names[2])).unwrap(), files[2]);
    openssl(&["verify", "-CAfile", &file(names[3]), &file(names[1])]);
    drop(remade);
    std::fs::remove_file(folder.0.join(names[1])).unwrap();
    let refused = LocalCa::open(settings, &folder.log()).unwrap_err();
    assert!(refused.0.contains("no issuer certificate"), "{refused}");
}

#[test]
fn an_operators_ca_is_never_replaced() {
    let folder = Folder::new("operator");
    let settings = folder.settings("");
    let key = SigningKey::generate_rsa(2048).unwrap();
    let name = crate::certificate::single_subject("CN", "operator").unwrap();
    let public = key.public().clone();
    let one = Serial::parse("1").unwrap();
    let der = crate::certificate::sign_with(&key, &name, (&one, Some(1)), (&name, &public), vec![]).unwrap();
    std::fs::write(folder.0.join("issuer.pem"), crate::certificate::to_pem(&der).unwrap()).unwrap();
    let refused = LocalCa::open(settings.clone(), &folder.log()).unwrap_err();
    assert!(refused.0.contains("no signing key"), "{refused}");
    std::fs::write(folder.0.join("sub/key.pem"), key.to_pem(None).unwrap().as_bytes()).unwrap();
    LocalCa::open(settings.clone(), &folder.log()).unwrap();
    let other = SigningKey::generate_rsa(2048).unwrap();
    std::fs::write(folder.0.join("sub/key.pem"), other.to_pem(None).unwrap().as_bytes()).unwrap();
    assert!(LocalCa::open(settings, &folder.log()).unwrap_err().0.contains("not the one of the issuer certificate"));
}
