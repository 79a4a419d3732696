//! NV: reads, and commands whose answer waits for a commit.
//!
//! swtpm 0.7.1 writes its state without a sync, so the rows that are to be compared run vtpmd with `fsync=false`. What a
//! durable commit costs is in the rows that say so.

use super::*;

fn index(t: &mut Tpm, attributes: u32, size: u16) -> u32 {
    let index = 0x0150_0000;
    let access = NV_OWNERWRITE | NV_OWNERREAD | NV_AUTHWRITE | NV_AUTHREAD | NV_NO_DA | attributes;
    let area = Out::new().u32(index).u16(SHA256).u32(access).sized(&[]).u16(size);
    t.plain("index", "NV_DefineSpace", &[RH_OWNER], &[b""], Out::new().sized(b"").sized(&area.0));
    if attributes & NV_COUNTER == 0 {
        let zeros = vec![0; size.min(1024).into()];
        t.plain("write", "NV_Write", &[index, index], &[b""], Out::new().sized(&zeros).u16(0));
    } else {
        t.plain("count", "NV_Increment", &[index, index], &[b""], Out::new());
    }
    index
}

/// Writes that change the index each time.
fn write(t: &mut Tpm, size: u16) -> Repeat {
    let index = index(t, 0, size);
    Box::new(move |t, i| {
        let data = vec![i as u8; size.into()];
        timed(t, &command("NV_Write", &[index, index], &[b""], Out::new().sized(&data).u16(0)))
    })
}

fn read(t: &mut Tpm, size: u16) -> Repeat {
    let i = index(t, 0, size);
    same("NV_Read", &[i, i], &[b""], Out::new().u16(size).u16(0))
}

fn increment(t: &mut Tpm, attributes: u32) -> Repeat {
    let i = index(t, NV_COUNTER | attributes, 8);
    same("NV_Increment", &[i, i], &[b""], Out::new())
}

pub(super) const ROWS: &[Row] = &[
    row("NV_Read (32 B)", 1000, |t| read(t, 32)).aim(0.80),
    row("NV_Read (1 KiB)", 1000, |t| read(t, 1024)).aim(0.80),
    row("NV_ReadPublic", 1000, |t| same("NV_ReadPublic", &[index(t, 0, 32)], &[], Out::new())).aim(0.80),
    row("NV_Increment (orderly)", 500, |t| increment(t, NV_ORDERLY)).aim(0.80),
    row("NV_Write (32 B), not synced", 300, |t| write(t, 32)).aim(0.35),
    row("NV_Write (1 KiB), not synced", 300, |t| write(t, 1024)).aim(0.35),
    row("NV_Increment, not synced", 300, |t| increment(t, 0)).aim(0.35),
    row("NV_Write (32 B), vtpmd synced", 100, |t| write(t, 32)).synced(),
    row("NV_Increment, vtpmd synced", 100, |t| increment(t, 0)).synced(),
];
