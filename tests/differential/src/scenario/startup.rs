//! Startup, Shutdown, power cycles, hash sequences of the platform, capabilities, and commands without objects.

use crate::codes::*;
use crate::template::pcrs;
use crate::tpm::Tpm;
use crate::wire::Out;

const EVERYTHING: u32 = 0xFFFF_FFFF;

fn read_pcrs(t: &mut Tpm, label: &str) {
    for map in [[0xFF, 0, 0], [0, 0xFF, 0], [0, 0, 0xFF]] {
        for alg in [SHA1, SHA256, SHA384, SHA512] {
            t.plain(label, "PCR_Read", &[], &[], pcrs(alg, map));
        }
    }
}

fn extend(t: &mut Tpm, pcr: u32, byte: u8) {
    let digest = [byte; 32];
    t.plain("extend", "PCR_Extend", &[pcr], &[b""], Out::new().u32(1).u16(SHA256).raw(&digest));
}

fn clock(t: &mut Tpm) {
    t.plain("clock", "ReadClock", &[], &[], Out::new());
}

/// Legal and illegal orders of Startup and Shutdown.
pub(super) fn order(t: &mut Tpm) {
    t.plain("before Startup", "GetRandom", &[], &[], Out::new().u16(8));
    t.plain("before Startup", "SelfTest", &[], &[], Out::new().u8(1));
    t.plain("before Startup", "Shutdown", &[], &[], Out::new().u16(0));
    t.plain("before Startup", "GetCapability", &[], &[], Out::new().u32(6).u32(0x100).u32(1));
    t.plain("before Startup", "GetTestResult", &[], &[], Out::new());
    t.plain("bad type", "Startup", &[], &[], Out::new().u16(2));
    t.plain("STATE on a fresh TPM", "Startup", &[], &[], Out::new().u16(1));
    t.plain("trailing", "Startup", &[], &[], Out::new().u16(0).u8(0));
    t.plain("clear", "Startup", &[], &[], Out::new().u16(0));
    t.plain("twice", "Startup", &[], &[], Out::new().u16(0));
    t.plain("twice state", "Startup", &[], &[], Out::new().u16(1));
    clock(t);
    for kind in [2u16, 0, 1, 0, 1] {
        t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(kind));
        t.plain("after shutdown", "GetRandom", &[], &[], Out::new().u16(4));
    }
    for (shutdown, startup) in [(0u16, 0u16), (1, 0), (1, 1), (0, 1), (9, 1), (9, 0), (1, 1)] {
        if shutdown != 9 {
            t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(shutdown));
        }
        t.power_cycle();
        if t.plain("startup", "Startup", &[], &[], Out::new().u16(startup)).rc != 0 {
            t.startup();
        }
        clock(t);
        t.plain("variable properties", "GetCapability", &[], &[], Out::new().u32(6).u32(0x200).u32(30));
    }
}

/// What survives Shutdown(STATE), Shutdown(CLEAR) and a power cut.
pub(super) fn state(t: &mut Tpm) {
    t.startup();
    for (i, pcr) in [0u32, 7, 8, 10, 15, 16, 17, 20, 22, 23].into_iter().enumerate() {
        extend(t, pcr, i as u8);
    }
    read_pcrs(t, "extended");
    let cases: [(Option<u16>, u16); 5] = [(Some(1), 1), (Some(1), 0), (Some(0), 0), (None, 0), (Some(0), 1)];
    for (shutdown, startup) in cases {
        t.plain("set enables", "HierarchyControl", &[RH_PLATFORM], &[b""], Out::new().u32(RH_ENDORSEMENT).u8(0));
        if let Some(kind) = shutdown {
            t.plain("shutdown", "Shutdown", &[], &[], Out::new().u16(kind));
        }
        t.power_cycle();
        let label = format!("{shutdown:?} then {startup}");
        if t.plain(&label, "Startup", &[], &[], Out::new().u16(startup)).rc != 0 {
            t.startup();
        }
        read_pcrs(t, &label);
        t.plain(&label, "GetCapability", &[], &[], Out::new().u32(6).u32(0x200).u32(30));
        t.plain(&label, "GetCapability", &[], &[], Out::new().u32(7).u32(0).u32(40));
        extend(t, 16, 0x77);
        extend(t, 5, 0x78);
    }
}

/// H-CRTM before Startup, DRTM after it, and the localities of the resettable PCR.
pub(super) fn hash_sequence(t: &mut Tpm) {
    t.control("H-CRTM", |d| d.hash_sequence(b"boot block"));
    t.startup();
    read_pcrs(t, "after H-CRTM");
    t.control("established", |d| d.established().map(u32::from));
    clock(t);
    t.control("DRTM", |d| d.hash_sequence(b"measured launch"));
    clock(t);
    t.control("established", |d| d.established().map(u32::from));
    read_pcrs(t, "after DRTM");
    for locality in [0u8, 1, 2, 3, 4] {
        t.control("locality", |d| d.locality(locality));
        for pcr in [0u32, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24] {
            let label = format!("locality {locality} PCR {pcr}");
            t.plain(&label, "PCR_Reset", &[pcr], &[b""], Out::new());
            extend(t, pcr, locality);
        }
        read_pcrs(t, &format!("locality {locality}"));
    }
    t.control("locality 5", |d| d.locality(5));
    t.control("locality 0", |d| d.locality(0));
    t.power_cycle();
    t.control("locality 3", |d| d.locality(3));
    t.plain("startup at locality 3", "Startup", &[], &[], Out::new().u16(0));
    read_pcrs(t, "locality 3");
    t.power_cycle();
    t.control("locality 2", |d| d.locality(2));
    t.plain("startup at locality 2", "Startup", &[], &[], Out::new().u16(0));
}

/// Every capability with several ranges.
pub(super) fn capabilities(t: &mut Tpm) {
    t.startup();
    for capability in (0..=11).chain([0x100, EVERYTHING]) {
        for (property, count) in
            [(0u32, 1u32), (0, 1000), (5, 3), (0x100, 200), (0x106, 4), (0x11F, 5), (0x200, 64), (0x300, 9)]
        {
            let label = format!("capability {capability} from {property:#x}");
            t.plain(&label, "GetCapability", &[], &[], Out::new().u32(capability).u32(property).u32(count));
        }
        t.plain("none", "GetCapability", &[], &[], Out::new().u32(capability).u32(0).u32(0));
    }
    for range in [0u32, 1, 2, 3, 0x40, 0x80, 0x81, 0x90, 4] {
        t.plain(&format!("handles {range:#x}"), "GetCapability", &[], &[], Out::new().u32(1).u32(range << 24).u32(100));
    }
    for property in (0x100..0x135).chain(0x200..0x216) {
        t.plain("one property", "GetCapability", &[], &[], Out::new().u32(6).u32(property).u32(1));
    }
    for command in 0x11E..0x1A3 {
        t.plain("one command", "GetCapability", &[], &[], Out::new().u32(2).u32(command).u32(1));
    }
    for curve in 0..0x22 {
        t.plain(&format!("curve {curve:#x}"), "ECC_Parameters", &[], &[], Out::new().u16(curve));
    }
}

/// TPM2_TestParms over a grid of algorithms, sizes and schemes.
pub(super) fn test_parms(t: &mut Tpm) {
    t.startup();
    let mut test = |label: String, p: Out| {
        t.plain(&label, "TestParms", &[], &[], p);
    };
    for bits in [0u16, 512, 1024, 1025, 2048, 3072, 4096, 8192] {
        for scheme in [NULL, RSASSA, RSAES, RSAPSS, OAEP, ECDSA, 0x7F] {
            let p = Out::new().u16(RSA).u16(NULL).u16(scheme);
            let p = if matches!(scheme, RSASSA | RSAPSS | OAEP | ECDSA) { p.u16(SHA256) } else { p };
            for exponent in [0u32, 3, 65537, 65536] {
                test(format!("RSA {bits} {scheme:#x} e={exponent}"), p.clone().u16(bits).u32(exponent));
            }
        }
        let p = Out::new().u16(RSA).u16(AES).u16(128).u16(CFB).u16(NULL).u16(bits).u32(0);
        test(format!("RSA {bits} storage"), p);
    }
    for curve in [0u16, 1, 2, 3, 4, 5, 0x10, 0x11, 0x20, 0x30] {
        for scheme in [NULL, ECDSA, ECDH, ECDAA, SM2, ECSCHNORR, ECMQV, RSASSA] {
            let p = Out::new().u16(ECC).u16(NULL).u16(scheme);
            let p = match scheme {
                NULL => p,
                ECDAA => p.u16(SHA256).u16(0),
                _ => p.u16(SHA256),
            };
            test(format!("ECC {curve:#x} {scheme:#x}"), p.clone().u16(curve).u16(NULL));
            test(format!("ECC {curve:#x} {scheme:#x} with KDF"), p.u16(curve).u16(KDF1_SP800_108).u16(SHA256));
        }
    }
    for alg in [AES, CAMELLIA, TDES, 0x13, XOR, NULL, SHA256] {
        for bits in [0u16, 64, 112, 128, 168, 192, 256, 512] {
            for mode in [CFB, CTR, OFB, CBC, ECB, NULL, CMAC, 0x45] {
                let p = Out::new().u16(SYMCIPHER).u16(alg);
                test(format!("SYMCIPHER {alg:#x} {bits} {mode:#x}"), p.u16(bits).u16(mode));
            }
        }
    }
    for hash in [SHA1, SHA256, SHA384, SHA512, SM3, 0x27, NULL] {
        test(format!("HMAC {hash:#x}"), Out::new().u16(KEYEDHASH).u16(HMAC).u16(hash));
        for kdf in [NULL, KDF1_SP800_108, KDF1_SP800_56A, KDF2, MGF1] {
            test(format!("XOR {hash:#x} {kdf:#x}"), Out::new().u16(KEYEDHASH).u16(XOR).u16(hash).u16(kdf));
        }
    }
    test("KEYEDHASH null".into(), Out::new().u16(KEYEDHASH).u16(NULL));
    test("unknown type".into(), Out::new().u16(0x99));
    test("no type".into(), Out::new());
}

/// Commands that need no object.
pub(super) fn plain_commands(t: &mut Tpm) {
    t.startup();
    for n in [0u16, 1, 31, 32, 48, 64, 65, 1000, 0xFFFF] {
        t.plain(&format!("{n} bytes"), "GetRandom", &[], &[], Out::new().u16(n));
    }
    for n in [0usize, 1, 127, 128, 129, 200] {
        t.plain(&format!("{n} bytes"), "StirRandom", &[], &[], Out::new().sized(&vec![7; n]));
    }
    for hash in [SHA1, SHA256, SHA384, SHA512, SM3, NULL] {
        for hierarchy in [RH_OWNER, RH_NULL, RH_PLATFORM, RH_ENDORSEMENT, RH_LOCKOUT, 0] {
            for n in [0usize, 3, 64, 1024, 1025] {
                let label = format!("hash {hash:#x} of {n}, {hierarchy:#x}");
                t.plain(&label, "Hash", &[], &[], Out::new().sized(&vec![0x61; n]).u16(hash).u32(hierarchy));
            }
        }
    }
    let generated = Out::new().sized(&[0xFF, 0x54, 0x43, 0x47, 1, 2]).u16(SHA256).u32(RH_OWNER);
    t.plain("data that begins with TPM_GENERATED", "Hash", &[], &[], generated);
    for full in [0u8, 1, 2] {
        t.plain("self test", "SelfTest", &[], &[], Out::new().u8(full));
        t.plain("result", "GetTestResult", &[], &[], Out::new());
    }
    t.plain("nothing", "IncrementalSelfTest", &[], &[], Out::new().u32(0));
    t.plain("some", "IncrementalSelfTest", &[], &[], Out::new().u32(3).u16(SHA256).u16(AES).u16(RSA));
    t.plain("unknown", "IncrementalSelfTest", &[], &[], Out::new().u32(1).u16(0x99));
    t.plain("too many", "IncrementalSelfTest", &[], &[], Out::new().u32(0xFFFF));
    t.plain("clock", "ReadClock", &[], &[], Out::new());
    t.plain("trailing", "ReadClock", &[], &[], Out::new().u8(0));
    t.plain("backwards", "ClockSet", &[RH_OWNER], &[b""], Out::new().u64(0));
    t.plain("forward", "ClockSet", &[RH_OWNER], &[b""], Out::new().u64(0x1_0000_0000));
    t.plain("too far", "ClockSet", &[RH_PLATFORM], &[b""], Out::new().u64(0xFFFF_0000_0000_0000));
    t.plain("wrong hierarchy", "ClockSet", &[RH_ENDORSEMENT], &[b""], Out::new().u64(9));
    for rate in [0u32, 1, 3, 0xFFFF_FFFD, 0xFFFF_FFFC, 4] {
        t.plain("rate", "ClockRateAdjust", &[RH_OWNER], &[b""], Out::new().raw(&[rate as u8]));
    }
    t.plain("algorithm set", "SetAlgorithmSet", &[RH_PLATFORM], &[b""], Out::new().u32(0));
    t.plain("algorithm set 1", "SetAlgorithmSet", &[RH_PLATFORM], &[b""], Out::new().u32(1));
    t.plain("by owner", "SetAlgorithmSet", &[RH_OWNER], &[b""], Out::new().u32(0));
    for curve in [3u16, 4, 5, 1, 0x10, 0x20, 0, 0x99] {
        t.plain(&format!("curve {curve:#x}"), "EC_Ephemeral", &[], &[], Out::new().u16(curve));
    }
}
