//! Why a row may be above its aim: printed when it is, and only then. A reason says what the time goes to; the run says
//! how much it was.

const TRANSPORT: &str = "most of it is transport: two switches between processes and a system call to read and one to write \
     on each side, which a bare echo needs as well (see its row); that two threads share the daemon's descriptors and that its \
     system calls are filtered adds 0.1 us each, the command itself 0.2 us and more";
const COMPRESSIONS: &str = "transport, and compressions of SHA that are the same work in both; SHA-384 and SHA-512 have no \
     instructions on most processors, and OpenSSL's assembly for them is a quarter faster than AWS-LC's";
const CURVE: &str = "one verification by AWS-LC, most of which is the multiplication of another point than the base point, is \
     four fifths of it; the rest is transport";
const STARTING: &str = "exec, page faults and cpuid, which a virtual machine traps; then the confinement (Landlock, \
     capabilities, filter of system calls, locked memory), of which swtpm does less by default";
const OPENING: &str = "as without a state, and the journal is read and checked from where it was last compacted";

/// Reasons by the names of their rows.
const REASONS: &[(&[&str], &str)] = &[
    (
        &[
            "GetRandom(32)",
            "ReadClock",
            "GetCapability(properties)",
            "GetCapability(commands)",
            "PCR_Read (8 of sha256)",
            "PCR_Reset",
            "ReadPublic",
            "Unseal (password)",
            "NV_Read (32 B)",
            "NV_Read (1 KiB)",
            "NV_ReadPublic",
            "NV_Increment (orderly)",
            "StartAuthSession HMAC",
            "StartAuthSession policy",
            "FlushContext (session)",
            "PolicyPCR",
            "PolicyAuthValue",
            "Unseal (HMAC session)",
            "flow: policy session, PolicyPCR, AuthValue, Unseal",
        ],
        TRANSPORT,
    ),
    (
        &[
            "PCR_Extend (sha256)",
            "PCR_Extend (4 banks)",
            "PCR_Event (256 B)",
            "Hash 1 KiB sha1",
            "Hash 1 KiB sha256",
            "Hash 1 KiB sha512",
            "hash sequence, 64 KiB sha256",
            "HMAC (1 KiB)",
            "boot storm: 2000 PCR_Extend, 4 banks",
        ],
        COMPRESSIONS,
    ),
    (
        &["EncryptDecrypt2 (1 KiB AES-128-CFB)", "Create sealed (32 B)", "Load sealed", "ContextSave (P-256)"],
        "transport, and hashes and serial encryption (CFB) that are the same work in both",
    ),
    (&["VerifySignature P-256", "PolicySigned P-256"], CURVE),
    (
        &["ContextLoad (RSA-2048)"],
        "HMAC-SHA-512 and AES over 1.2 KB: 16 compressions of SHA-512 are most of the engine's part, and OpenSSL's assembly \
         for them is a quarter faster than AWS-LC's",
    ),
    (
        &["CreatePrimary RSA-2048, varied unique"],
        "83 exponentiations on average, in libtpms's order, so that a seed keeps its keys; all that can differ is how many \
         candidates are tested at once: eight with AVX-512 IFMA, two without",
    ),
    (&["start to answered Startup, no state"], STARTING),
    (&["start to answered Startup, with state", "start to answered Startup, encrypted state"], OPENING),
    (
        &["state save and restore"],
        "the state is written twice in the new place: once as it comes, once when the TPM that was there ends",
    ),
    (
        &["RSS after 1000 commands, KiB"],
        "pages of the program, which are in memory once for all processes (PSS counts them so); they grow when functions that \
         serve a guest are no longer together: cargo xtask layout",
    ),
];

/// The reason of the row with this name.
pub(super) fn of(row: &str) -> Option<&'static str> {
    REASONS.iter().find(|(rows, _)| rows.contains(&row)).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::super::GROUPS;
    use super::REASONS;

    #[test]
    fn every_reason_is_of_a_row_with_an_aim() {
        for name in REASONS.iter().flat_map(|(names, _)| names.iter()) {
            let row = GROUPS.iter().flat_map(|group| group.rows).find(|row| row.name == *name);
            assert!(row.is_some_and(|row| row.aim.is_some()), "no row {name} with an aim");
        }
    }
}
