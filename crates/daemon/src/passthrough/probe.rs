//! What the daemon asks of the device by itself: who it is, and which handles are in use.

use super::device::Device;
use core::fmt::Write;
use std::collections::BTreeMap;

/// TPM2_GetCapability.
const GET_CAPABILITY: u32 = 0x17a;
/// TPM2_FlushContext.
const FLUSH_CONTEXT: u32 = 0x165;
/// TPM2_Startup.
const STARTUP: u32 = 0x144;
/// TPM_CAP_HANDLES.
const HANDLES: u32 = 1;
/// TPM_CAP_TPM_PROPERTIES.
const PROPERTIES: u32 = 6;
/// TPM_RC_INITIALIZE.
const INITIALIZE: u32 = 0x100;

/// TPM_PT_LEVEL, TPM_PT_REVISION, TPM_PT_MANUFACTURER, TPM_PT_FIRMWARE_VERSION_1.
const LEVEL: u32 = 0x101;
const REVISION: u32 = 0x102;
const MANUFACTURER: u32 = 0x105;
const FIRMWARE: u32 = 0x10b;
/// TPM_PT_MAX_COMMAND_SIZE.
const MAX_COMMAND: u32 = 0x11e;

/// Handles of objects that are loaded.
pub(super) const TRANSIENT: u32 = 0x8000_0000;
/// Handles of sessions that are loaded.
pub(super) const LOADED_SESSIONS: u32 = 0x0200_0000;
/// Handles of sessions whose context is saved.
pub(super) const SAVED_SESSIONS: u32 = 0x0300_0000;

/// A command without sessions.
fn command(code: u32, words: &[u32]) -> Vec<u8> {
    let size = u32::try_from(words.len().saturating_mul(4).saturating_add(10)).unwrap_or(u32::MAX);
    let head = [&[0x80, 0x01][..], &size.to_be_bytes(), &code.to_be_bytes()].concat();
    [head, words.iter().flat_map(|word| word.to_be_bytes()).collect()].concat()
}

fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let at = index.checked_mul(4)?;
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

/// The response code and what follows it.
fn ask(device: &mut Device, command: &[u8]) -> Result<(u32, Vec<u8>), String> {
    let response = device.transmit(command).map_err(|fault| format!("it does not answer as a TPM does: {fault}"))?;
    match response.split_at_checked(10) {
        Some(([0x80, 0x01 | 0x02, .., a, b, c, d], rest)) => Ok((u32::from_be_bytes([*a, *b, *c, *d]), rest.to_vec())),
        _ => Err("it is no TPM 2.0: its answers have another form".to_owned()),
    }
}

/// One page of a capability, behind its count.
fn capability(device: &mut Device, which: u32, first: u32) -> Result<(u32, bool, Vec<u8>), String> {
    let (code, rest) = ask(device, &command(GET_CAPABILITY, &[which, first, 254]))?;
    let more = rest.first().is_some_and(|more| *more != 0);
    Ok((code, more, rest.get(9..).unwrap_or_default().to_vec()))
}

/// What the device says about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts(BTreeMap<u32, u32>);

impl Facts {
    /// Asks the device. One that nobody has started yet is started, if `start`.
    pub(super) fn ask(device: &mut Device, start: bool) -> Result<Self, String> {
        let mut answer = capability(device, PROPERTIES, 0x100)?;
        if answer.0 == INITIALIZE && start {
            let startup = [&[0x80, 0x01, 0, 0, 0, 12][..], &STARTUP.to_be_bytes(), &[0, 0]].concat();
            match ask(device, &startup)? {
                (0, _) => answer = capability(device, PROPERTIES, 0x100)?,
                (code, _) => return Err(format!("it is not started, and refused Startup with 0x{code:x}")),
            }
        }
        match answer {
            (0, _, rest) => {
                let words: Vec<u32> = (0..).map_while(|index| word(&rest, index)).collect();
                Ok(Self(words.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect()))
            }
            (code, ..) => Err(format!("it refused TPM2_GetCapability with 0x{code:x}")),
        }
    }

    /// The largest command of the device in bytes.
    pub(super) fn max_command(&self) -> u32 {
        self.0.get(&MAX_COMMAND).copied().unwrap_or(4096).clamp(1024, 4096)
    }

    /// The answer of GET_INFO.
    pub(super) fn json(&self, flags: u64) -> String {
        let value = |property| self.0.get(&property).copied().unwrap_or(0);
        let mut objects = Vec::new();
        if flags & 1 != 0 {
            let (level, revision) = (value(LEVEL), value(REVISION));
            objects.push(format!(r#""TPMSpecification":{{"family":"2.0","level":{level},"revision":{revision}}}"#));
        }
        if flags & 2 != 0 {
            let (maker, version) = (value(MANUFACTURER), value(FIRMWARE));
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = write!(text, r#""TPMAttributes":{{"manufacturer":"id:{maker:08x}","#);
            let _ = write!(text, r#""version":"id:{version:08x}","model":"passthrough"}}"#);
            objects.push(text);
        }
        format!("{{{}}}", objects.join(","))
    }
}

/// The handles of a range that are in use.
pub(super) fn handles(device: &mut Device, range: u32) -> Result<Vec<u32>, String> {
    let mut found: Vec<u32> = Vec::new();
    let mut first = range;
    loop {
        let (code, more, rest) = capability(device, HANDLES, first)?;
        if code != 0 {
            return Err(format!("it refused to tell its handles, with 0x{code:x}"));
        }
        found.extend((0..).map_while(|index| word(&rest, index)));
        match found.last() {
            Some(last) if more && *last >= first && found.len() < 4096 => first = last.saturating_add(1),
            _ => return Ok(found),
        }
    }
}

/// Removes an object or session from the device. One that is gone already is fine.
pub(super) fn flush(device: &mut Device, handle: u32) -> Result<(), String> {
    let (code, _) = ask(device, &command(FLUSH_CONTEXT, &[handle]))?;
    // TPM_RC_HANDLE, TPM_RC_VALUE and TPM_RC_REFERENCE, of the first parameter, in whichever form.
    let gone = matches!(code & 0xbf, 0x8b | 0x84) || code & 0x910 == 0x910;
    if code == 0 || gone { Ok(()) } else { Err(format!("it refused to flush handle 0x{handle:08x}, with 0x{code:x}")) }
}
