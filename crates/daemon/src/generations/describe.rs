//! `show`: the state and the TPM in it.

use super::history::{as_json, kept, wants_key};
use super::{Answer, tpm, words};
use crate::failure::Failure;
use crate::options::generations::Request;
use sealwright_state::{Content, Generation, StateError, Store, timestamp};
use sealwright_tpm2::{Summary, Tpm2};
use serde_json::{Map, Value, json};

/// Policy of the TCG's default endorsement keys: TPM2_PolicySecret(TPM_RH_ENDORSEMENT) by SHA-256
/// (EK Credential Profile 2.5, B.3.3).
const POLICY_A: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24, 0xFD, 0x52, 0xD7,
    0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA,
];

/// The default templates L-1 (RSA 2048) and L-2 (P-256) of the EK Credential Profile, B.3.3 and B.3.4.
fn templates() -> [(&'static str, Vec<u8>); 2] {
    let start =
        |kind: u8| [&[0, kind, 0, 0x0B, 0, 0x03, 0, 0xB2, 0, 32][..], &POLICY_A, &[0, 6, 0, 0x80, 0, 0x43]].concat();
    let rsa = [&start(0x01)[..], &[0, 0x10, 8, 0, 0, 0, 0, 0, 1, 0], &[0; 256]].concat();
    let ecc = [&start(0x23)[..], &[0, 0x10, 0, 3, 0, 0x10, 0, 32], &[0; 32], &[0, 32], &[0; 32]].concat();
    [("RSA-2048", rsa), ("P-256", ecc)]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Names of the default endorsement keys: what `tpm2_readpublic` shows of them.
fn endorsement_keys(tpm: &Tpm2) -> Vec<(&'static str, String)> {
    let name = |(kind, template): (&'static str, Vec<u8>)| Some((kind, hex(&tpm.endorsement_key(&template)?)));
    templates().into_iter().filter_map(name).collect()
}

/// `vtpmd state show`.
pub(super) fn show(_: &Request, store: &mut Store) -> Result<Answer, Failure> {
    let generations = kept(store)?;
    let mut lines = Vec::new();
    let mut json = Map::new();
    let mut line = |name: &str, text: String| lines.push(format!("{name:<18}{text}"));
    json.insert("place".into(), store.place().into());
    line("place", store.place());
    let states: Vec<&Generation> = generations.iter().filter(|g| g.content == Content::State).collect();
    if let Some(newest) = states.last() {
        let sealed = newest.key != sealwright_state::DataKeyId::NONE;
        line("VM", newest.vm.to_string());
        line("encrypted", if sealed { format!("yes, with the data key {}", newest.key) } else { "no".to_owned() });
        let time = timestamp(newest.time / 1000);
        line(
            "newest state",
            format!("generation {}, epoch {}, {} bytes, {time}", newest.sequence, newest.epoch, newest.size),
        );
        json.insert("newest".into(), as_json(newest));
        json.insert("encrypted".into(), sealed.into());
    }
    if let (Some(first), Some(last)) = (states.first(), states.last()) {
        line("kept", format!("{} states, from generation {} to {}", states.len(), first.sequence, last.sequence));
    }
    let volatile = generations.iter().rev().find(|g| g.content != Content::State);
    let volatile = volatile.is_some_and(|g| g.content == Content::Volatile);
    line("volatile state", if volatile { "stored" } else { "none" }.to_owned());
    json.insert("states".into(), states.len().into());
    json.insert("volatile".into(), volatile.into());
    if let Some(holder) = store.lease().and_then(|lease| lease.holder) {
        line("last writer", holder.to_string());
        json.insert(
            "writer".into(),
            json!({ "pid": holder.pid, "host": holder.host, "since": timestamp(holder.since) }),
        );
    }
    match store.load() {
        Ok(()) => {
            if let Some(wrapped) = store.wrapped_key() {
                let key = Some(wrapped.key_id.as_str()).filter(|key| !key.is_empty());
                let key = key.map(|key| format!(", key {key}")).unwrap_or_default();
                line("key manager", format!("{}{key}", wrapped.manager));
                json.insert("key".into(), json!({ "manager": wrapped.manager, "id": wrapped.key_id.as_str() }));
            }
            if let Some(sequence) = store.head().map(|g| g.sequence) {
                let tpm = tpm(store, sequence)?;
                let keys = endorsement_keys(&tpm);
                let summary = tpm.summary();
                lines.extend(describe(&summary, &keys));
                json.insert("tpm".into(), describe_json(&summary, &keys));
            }
        }
        Err(fault @ StateError::Ordered { .. }) => {
            lines.push(fault.to_string());
            json.insert("order".into(), fault.to_string().into());
        }
        Err(fault) if wants_key(&fault) => lines.push("what is in it: give the key (--key) to see".to_owned()),
        Err(fault) => return Err(words(fault)),
    }
    Ok(Answer { lines, json: Value::Object(json) })
}

fn describe(tpm: &Summary, keys: &[(&str, String)]) -> Vec<String> {
    let line = |name: &str, text: String| format!("{name:<18}{text}");
    let [major, minor] = tpm.firmware;
    let mut out = vec![line("TPM", format!("2.0, firmware {major:08x}.{minor:08x}"))];
    out.extend(keys.iter().map(|(kind, name)| line(&format!("EK {kind}"), name.clone())));
    out.push(line("PCR banks", tpm.banks.join(", ")));
    out.push(line("TPM Resets", format!("{} ({} since the last Clear)", tpm.total_resets, tpm.resets)));
    out.push(line("Clock", format!("{} s", tpm.clock / 1000)));
    let (failed, most, recovery) = tpm.failed_tries;
    out.push(line("lockout", format!("{failed} of {most} failed authorizations, one forgotten in {recovery} s")));
    out.push(line("TPM2_Clear", if tpm.clear_disabled { "switched off" } else { "allowed" }.to_owned()));
    out.push(line("NV Indexes", tpm.nv.len().to_string()));
    out.extend(tpm.nv.iter().map(|nv| {
        let count = nv.count.map(|count| format!(", count {count}")).unwrap_or_default();
        format!("  {:#010x}      {}, {} bytes, attributes {:#010x}{count}", nv.index, nv.kind, nv.size, nv.attributes)
    }));
    out.push(line("persistent", format!("{} objects", tpm.persistent.len())));
    out.extend(tpm.persistent.iter().map(|o| format!("  {:#010x}      {}, name {}", o.handle, o.kind, hex(&o.name))));
    out
}

fn describe_json(tpm: &Summary, keys: &[(&str, String)]) -> Value {
    let nv = |nv: &sealwright_tpm2::NvSummary| {
        json!({ "index": format!("{:#010x}", nv.index), "kind": nv.kind, "size": nv.size,
                "attributes": format!("{:#010x}", nv.attributes), "count": nv.count })
    };
    let object = |o: &sealwright_tpm2::ObjectSummary| json!({ "handle": format!("{:#010x}", o.handle), "kind": o.kind, "name": hex(&o.name) });
    let keys: Map<String, Value> =
        keys.iter().map(|(kind, name)| ((*kind).to_owned(), Value::from(name.as_str()))).collect();
    json!({
        "version": "2.0",
        "firmware": tpm.firmware.map(|half| format!("{half:08x}")).join("."),
        "endorsementKeys": keys,
        "pcrBanks": tpm.banks,
        "totalResets": tpm.total_resets,
        "resets": tpm.resets,
        "clock": tpm.clock,
        "failedTries": tpm.failed_tries.0,
        "maxTries": tpm.failed_tries.1,
        "recoveryTime": tpm.failed_tries.2,
        "clearDisabled": tpm.clear_disabled,
        "nv": tpm.nv.iter().map(nv).collect::<Vec<_>>(),
        "persistent": tpm.persistent.iter().map(object).collect::<Vec<_>>(),
    })
}
