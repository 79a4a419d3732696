//! One record: the header of a generation and its content; and the frame around it.

use super::{BLOCK, pad};
use crate::error::StateError;
use crate::generation::{Content, Generation};
use crate::identity::{DataKeyId, Digest, Kind, VmId};
use crate::reader::{Reader, put_sized};
use crate::seal::{NONCE, Sealer, TAG};
use zeroize::Zeroizing;

/// How a frame begins; no byte is zero.
pub(crate) const FRAME: [u8; 4] = *b"SWRC";
/// How it ends; no byte is zero, so a frame whose end was not written is known.
pub(crate) const END: [u8; 4] = *b"SWEN";
/// What a frame adds: begin, length, digest, end.
const AROUND: usize = 4 + 4 + 32 + 4;
/// The largest content.
pub(crate) const MAX_CONTENT: usize = 8 * 1024 * 1024;
/// The longest reason.
pub(crate) const MAX_REASON: usize = 1024;
/// More than any record: its content, and a header with the longest names and reason.
const MAX_RECORD: usize = MAX_CONTENT + BLOCK;
const VERSION: u16 = 1;

/// A record as it lies in a journal.
pub(crate) struct Record<'a> {
    pub(crate) generation: Generation,
    nonce: [u8; NONCE],
    header: &'a [u8],
    body: &'a [u8],
}

/// Makes the frame of a generation with this content. The digest and size in `generation` are set here.
pub(crate) fn encode(
    generation: &mut Generation,
    sealer: Option<&Sealer>,
    content: &[u8],
) -> Result<Vec<u8>, StateError> {
    let too_large = |what, size, most| StateError::TooLarge { what, size, most };
    let large = || too_large("a state", content.len(), MAX_CONTENT);
    if content.len() > MAX_CONTENT {
        return Err(large());
    }
    let reason = generation.reason.as_bytes();
    if reason.len() > MAX_REASON {
        return Err(too_large("a reason", reason.len(), MAX_REASON));
    }
    let nonce = if sealer.is_some() { Sealer::nonce()? } else { [0; NONCE] };
    let sealed_size = content.len().saturating_add(if sealer.is_some() { TAG } else { 0 });
    generation.size = u64::try_from(content.len()).map_err(|_| large())?;
    let mut out = Vec::with_capacity(super::blocks(sealed_size.saturating_add(BLOCK)));
    out.extend(FRAME);
    out.extend([0; 4]);
    out.extend(VERSION.to_be_bytes());
    out.extend([generation.content as u8, u8::from(sealer.is_some()), generation.kind as u8, 0, 0, 0]);
    for number in [generation.epoch, generation.sequence, generation.time] {
        out.extend(number.to_be_bytes());
    }
    out.extend(generation.parent.0);
    out.extend(generation.was.0);
    out.extend(generation.key.0);
    out.extend(nonce);
    out.extend(u32::try_from(sealed_size).map_err(|_| large())?.to_be_bytes());
    put_sized(&mut out, generation.vm.as_str().as_bytes()).ok_or_else(large)?;
    put_sized(&mut out, reason).ok_or_else(large)?;
    match sealer {
        Some(sealer) => {
            let sealed = sealer.seal(nonce, out.get(8..).unwrap_or_default(), content).ok_or_else(large)?;
            out.extend(sealed);
        }
        None => out.extend_from_slice(content),
    }
    let record = out.get(8..).unwrap_or_default();
    generation.digest = Digest::of(&[record]);
    let length = u32::try_from(record.len()).map_err(|_| large())?;
    if let Some(field) = out.get_mut(4..8) {
        field.copy_from_slice(&length.to_be_bytes());
    }
    out.extend(generation.digest.0);
    out.extend(END);
    pad(&mut out);
    Ok(out)
}

/// Reads the frame that begins `bytes`: the record, and the frame's length in whole blocks.
pub(crate) fn decode(bytes: &[u8]) -> Option<(Record<'_>, usize)> {
    let mut r = Reader(bytes);
    (r.array()? == FRAME).then_some(())?;
    let length = usize::try_from(r.u32()?).ok().filter(|length| *length <= MAX_RECORD)?;
    let record = r.bytes(length)?;
    let digest = Digest(r.array()?);
    (r.array()? == END && Digest::of(&[record]) == digest).then_some(())?;
    let framed = super::blocks(length.checked_add(AROUND)?);
    Some((fields(record, digest)?, framed))
}

/// The length in whole blocks of the frame that seems to begin here, complete or not.
pub(crate) fn frame_length(bytes: &[u8]) -> Option<usize> {
    let mut r = Reader(bytes);
    (r.array()? == FRAME).then_some(())?;
    let length = usize::try_from(r.u32()?).ok()?;
    (length <= MAX_RECORD).then(|| super::blocks(length.saturating_add(AROUND)))
}

/// True if the frame that begins here ends with its mark.
pub(crate) fn has_end(bytes: &[u8]) -> bool {
    let mut r = Reader(bytes);
    let mut end = || {
        r.bytes(4)?;
        let length = usize::try_from(r.u32()?).ok()?;
        r.bytes(length)?;
        r.bytes(32)?;
        r.array().map(|end| end == END)
    };
    end() == Some(true)
}

fn fields(record: &[u8], digest: Digest) -> Option<Record<'_>> {
    let mut r = Reader(record);
    (r.u16()? == VERSION).then_some(())?;
    let content = Content::from_number(r.u8()?)?;
    let sealed = match r.u8()? {
        0 => false,
        1 => true,
        _ => return None,
    };
    let kind = Kind::from_number(r.u8()?)?;
    (r.array()? == [0; 3]).then_some(())?;
    let [epoch, sequence, time] = [r.u64()?, r.u64()?, r.u64()?];
    let parent = Digest(r.array()?);
    let was = Digest(r.array()?);
    let key = DataKeyId(r.array()?);
    let nonce = r.array()?;
    let size = usize::try_from(r.u32()?).ok()?;
    let vm = VmId::new(r.text()?).ok()?;
    let reason = r.text()?.to_owned();
    let (header, body) = record.split_at_checked(record.len().checked_sub(r.0.len())?)?;
    (body.len() == size && sealed == (key != DataKeyId::NONE)).then_some(())?;
    let size = u64::try_from(if sealed { size.checked_sub(TAG)? } else { size }).ok()?;
    let generation = Generation { vm, kind, content, epoch, sequence, time, parent, digest, was, key, size, reason };
    Some(Record { generation, nonce, header, body })
}

impl Record<'_> {
    /// The content; `None` if it does not open with this key (`sealer` must be `None` for an unsealed record).
    pub(crate) fn open(&self, sealer: Option<&Sealer>) -> Option<Zeroizing<Vec<u8>>> {
        match (sealer, self.generation.key == DataKeyId::NONE) {
            (Some(sealer), false) => sealer.open(self.nonce, self.header, self.body),
            (None, true) => Some(Zeroizing::new(self.body.to_vec())),
            _ => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::key::DataKey;

    pub(crate) fn generation(sequence: u64, parent: Digest, key: DataKeyId) -> Generation {
        Generation {
            vm: VmId::new("vm").unwrap(),
            kind: Kind::Tpm,
            content: Content::State,
            epoch: 2,
            sequence,
            time: 1_700_000_000_000,
            parent,
            digest: Digest::NONE,
            was: Digest::NONE,
            key,
            size: 0,
            reason: String::new(),
        }
    }

    #[test]
    fn comes_back_and_every_change_is_found() {
        let sealer = Sealer::new(&DataKey::new([4; 32]));
        for (sealer, key) in [(Some(&sealer), DataKeyId([1; 16])), (None, DataKeyId::NONE)] {
            let mut made = generation(7, Digest([8; 32]), key);
            made.reason = "why".to_owned();
            let frame = encode(&mut made, sealer, b"some content").unwrap();
            assert_eq!(frame.len(), BLOCK);
            let (record, length) = decode(&frame).unwrap();
            assert_eq!((&record.generation, length), (&made, BLOCK));
            assert_eq!(&**record.open(sealer).unwrap(), b"some content");
            let used = frame.iter().rposition(|b| *b != 0).unwrap() + 1;
            for at in 0..used {
                let mut bad = frame.clone();
                bad[at] ^= 0x10;
                assert!(decode(&bad).is_none(), "byte {at}");
                assert!(decode(&frame[..at]).is_none(), "cut at {at}");
            }
        }
    }

    #[test]
    fn a_changed_header_with_its_digest_put_right_does_not_open() {
        let sealer = Sealer::new(&DataKey::new([4; 32]));
        let mut made = generation(7, Digest::NONE, DataKeyId([1; 16]));
        let mut frame = encode(&mut made, Some(&sealer), b"x").unwrap();
        // The sequence number is behind 8 bytes of frame, 8 of header, and the epoch.
        frame[8 + 8 + 8 + 7] = 9;
        let record = usize::try_from(u32::from_be_bytes(frame[4..8].try_into().unwrap())).unwrap();
        let digest = Digest::of(&[&frame[8..8 + record]]);
        frame[8 + record..8 + record + 32].copy_from_slice(&digest.0);
        let (record, _) = decode(&frame).unwrap();
        assert_eq!(record.generation.sequence, 9);
        assert!(record.open(Some(&sealer)).is_none());
    }
}
