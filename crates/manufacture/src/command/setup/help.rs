//! What `swtpm_setup` says of itself.

use crate::command::SWTPM_VERSION;

const OPTIONS: &str = "\
Usage: swtpm_setup --tpm2 --tpm-state PLACE [options]

Makes a new TPM: its endorsement keys, their certificates and that of the platform, and the PCR banks. The TPM runs in this
process, and its state appears at its place whole or not at all.

  --tpm-state, --tpmstate PLACE  a folder, dir://FOLDER, or file://FILE for a linear file or block device
  --tpm2                       a TPM 2.0; a TPM 1.2 cannot be made
  --overwrite                  put the new TPM in the place of one that is there
  --not-overwrite              leave one that is there as it is, and say that all is well
  --reconfigure                only give the TPM that is there other PCR banks

  --createek                   make endorsement keys
    --ek1keyalgo, --ek2keyalgo ALG  rsa2048, rsa3072, rsa4096, ecc_nist_p256, ecc_nist_p384, ecc_nist_p521;
                               rsa2048 and ecc_nist_p384 without these
    --rsa-keysize N            2048, 3072, 4096 or max: the size of the first key, if it is not named
    --allow-signing            keys that sign; these are not the usual ones
    --decryption               signing keys that decrypt too
  --create-spk                 make a storage root key, of RSA
  --ecc                        on P-384 instead
  --create-ek-cert             make certificates of the endorsement keys (with --createek)
  --create-platform-cert       make a certificate of the platform (with --createek)
  --iakkeyalgo, --idevidkeyalgo ALG  make an attestation key and a device identity, with certificates
  --no-iak                     make neither
  --lock-nvram                 lock what is in NV against writing
  --pcr-banks LIST             such as sha1,sha256; - leaves all that there are; sha256 without this
  --vmid ID                    of whose TPM the certificates are
  --write-ek-cert-files FOLDER copies of the certificates of keys
  --profile JSON, --profile-name NAME, --profile-file FILE, --profile-file-fd N
                               the profile; NAME may follow local:, distro: or builtin:
  --profile-remove-disabled check|fips-host

  --keyfile FILE, --keyfile-fd N  encrypt the state with a key of hexadecimal digits
  --pwdfile FILE, --pwdfile-fd N  encrypt the state with a key made of a passphrase
  --cipher aes-128-cbc|aes-256-cbc  aes-128-cbc without this

  --config FILE                configuration; swtpm_setup.conf of the user or of the system without this
  --create-config-files [overwrite][,root][,skip-if-exist]  write configuration files for this user
  --logfile FILE               where messages go
  --runas USER                 become this user first
  --tpm 'PROGRAM socket'       who is going to run the TPM: it must be there, and is not started
  --print-capabilities, --print-profiles, --version, --help

Of TPM 1.2, or without effect: --take-ownership, --ownerpass, --owner-well-known, --srkpass, --srk-well-known, --display,
--swtpm_ioctl, --tcsd-system-ps-file.
";

/// `--help`.
pub(super) fn text() -> String {
    format!("{}{OPTIONS}", version())
}

/// `--version`.
pub(super) fn version() -> String {
    format!("TPM emulator setup tool version {SWTPM_VERSION} (Sealwright {})\n", env!("CARGO_PKG_VERSION"))
}

/// `--print-capabilities`: only what this program does.
pub(super) fn capabilities() -> String {
    let mut features = vec![
        "tpm-2.0",
        "cmdarg-keyfile-fd",
        "cmdarg-pwdfile-fd",
        "tpm12-not-need-root",
        "cmdarg-write-ek-cert-files",
        "cmdarg-create-config-files",
        "cmdarg-reconfigure-pcr-banks",
        "tpm2-rsa-keysize-2048",
        "tpm2-rsa-keysize-3072",
        "tpm2-rsa-keysize-4096",
    ];
    features.extend(super::profile::FEATURES);
    features.extend(["cmdarg-ek1keyalgo", "cmdarg-ek2keyalgo", "cmdarg-iakkeyalgo", "cmdarg-idevidkeyalgo"]);
    let quoted = |words: &[&str]| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ");
    let profiles = quoted(&super::profile::builtin_names());
    let profiles = if profiles.is_empty() { String::new() } else { format!(" {profiles} ") };
    format!(
        "{{ \"type\": \"swtpm_setup\", \"features\": [ {} ], \"profiles\": [{profiles}], \"version\": \"{SWTPM_VERSION}\" }}\n",
        quoted(&features)
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_option_is_in_the_help() {
        crate::command::getopt::assert_named(super::super::options::TABLE, super::OPTIONS, &[]);
    }
}
