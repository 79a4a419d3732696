//! The engine's generated command table against `commands.csv`.

use sealwright_conformance::COMMANDS;
use sealwright_core::Role;
use sealwright_tpm2::TABLE;

/// A name without what a Rust type cannot carry: `ECDH_ZGen` is `EcdhZGen` there.
fn plain(name: &str) -> String {
    name.replace('_', "").to_lowercase()
}

/// One row as text: what differs is then seen at a glance.
fn typed() -> Vec<String> {
    let rows = COMMANDS.lines().filter(|l| !l.starts_with('#') && !l.starts_with("code"));
    rows.map(|line| {
        let f: Vec<&str> = line.split(',').collect();
        let roles: Vec<&str> =
            f[2].split(';').filter(|h| !h.is_empty()).map(|h| h.rsplit(':').next().unwrap_or("")).collect();
        let bit = |text: &str, at: u32| u32::from(text == "1") << at;
        let code = u32::from_str_radix(f[0], 16).expect("a hexadecimal code");
        let attributes =
            code | bit(f[4], 22) | bit(f[5], 23) | bit(f[6], 24) | (roles.len() as u32) << 25 | bit(f[3], 28);
        format!(
            "{code:#x} {} attributes {attributes:#010x} roles {roles:?} decrypt {} encrypt {} sessions {}",
            plain(f[1]),
            f[7] == "y",
            f[8] == "y",
            f[9] == "yes"
        )
    })
    .collect()
}

fn generated() -> Vec<String> {
    let role = |role: &Role| match role {
        Role::None => "none",
        Role::User => "user",
        Role::Admin => "admin",
        Role::Dup => "dup",
    };
    TABLE
        .iter()
        .map(|entry| {
            let s = &entry.spec;
            let roles: Vec<&str> = s.roles.iter().map(role).collect();
            format!(
                "{:#x} {} attributes {:#010x} roles {roles:?} decrypt {} encrypt {} sessions {}",
                s.code,
                plain(s.name),
                s.attributes,
                s.decrypt,
                s.encrypt,
                s.sessions
            )
        })
        .collect()
}

#[test]
fn every_command_of_the_engine_is_as_part_3_has_it() {
    let typed = typed();
    let wrong: Vec<String> = generated().into_iter().filter(|row| !typed.contains(row)).collect();
    assert!(wrong.is_empty(), "not in commands.csv like this:\n{}", wrong.join("\n"));
}

#[test]
fn the_engine_has_every_command() {
    let generated = generated();
    let missing: Vec<String> = typed().into_iter().filter(|row| !generated.contains(row)).collect();
    assert!(missing.is_empty(), "not in the engine like this:\n{}", missing.join("\n"));
}
