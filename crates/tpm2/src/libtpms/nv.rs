//! NV Indexes and persistent objects (USER_NVRAM), and the data of orderly Indexes (INDEX_ORDERLY_RAM).

use super::{
    ExportFault, ImportFault, object,
    sink::Sink,
    source::{Kind, Source},
};
use crate::collections::{Sorted, copy};
use crate::nv::NvIndex;
use crate::object::{Object, Slot};
use crate::profile::Profile;
use crate::structures::{HandleKind, MAX_NV_INDEX, NvAttributes, NvPublic, kind};
use alloc::{sync::Arc, vec::Vec};
use sealwright_crypto::Crypto;
use zeroize::Zeroizing;

const INDEX_ORDERLY_RAM: Kind = Kind { name: "INDEX_ORDERLY_RAM", magic: 0x5346_FEAB, version: 2 };
const USER_NVRAM: Kind = Kind { name: "USER_NVRAM", magic: 0x094F_22C3, version: 2 };
const NV_INDEX: Kind = Kind { name: "NV_INDEX", magic: 0x2547_265A, version: 2 };

/// Bytes of memory for orderly Indexes.
pub(super) const RAM_SIZE: usize = 512;
/// Bytes that each entry of it takes beside its data: size, handle and attributes.
const RAM_HEADER: usize = 12;
/// Bytes of user NV.
const NVRAM_SIZE: u64 = 171_200;
/// Bytes that an entry of NV takes in libtpms: an Index beside its data, and an object of any kind. Some versions use
/// them as they are.
const INDEX_ENTRY: usize = 4 + 148;
const OBJECT_ENTRY: u32 = 2608;

/// Live attributes and data of the orderly Indexes, by handle.
pub(super) type OrderlyRam = Sorted<(NvAttributes, Zeroizing<Vec<u8>>)>;

/// Reads INDEX_ORDERLY_RAM.
pub(super) fn read_ram(s: &mut Source<'_>) -> Result<OrderlyRam, ImportFault> {
    let version = s.header(INDEX_ORDERLY_RAM)?;
    let size = usize::try_from(s.get::<u32>("size")?).map_err(|_| s.bad("size"))?;
    let mut ram = OrderlyRam::new();
    let mut offset = 0usize;
    // Where no further entry would fit there is no end mark either.
    while offset.saturating_add(RAM_HEADER) <= size {
        if s.get::<u32>("entry size")? == 0 {
            break;
        }
        let (handle, attributes) = (s.get::<u32>("handle")?, s.get("attributes")?);
        let data = s.array("data")?;
        offset = offset.saturating_add(RAM_HEADER).saturating_add(data.len());
        if offset > RAM_SIZE || ram.insert(handle, (attributes, Zeroizing::new(data.to_vec()))).is_some() {
            return Err(s.bad("entry"));
        }
    }
    s.future(version)?;
    Ok(ram)
}

/// The orderly Indexes among these that fit into the memory for them; they all do, as it is as large here.
fn orderly(indexes: &Sorted<Arc<NvIndex>>) -> impl Iterator<Item = (u32, &Arc<NvIndex>)> {
    indexes.iter().filter(|(_, index)| index.has(NvAttributes::ORDERLY))
}

/// Writes INDEX_ORDERLY_RAM.
pub(super) fn write_ram(s: &mut Sink, indexes: &Sorted<Arc<NvIndex>>) -> Result<(), ExportFault> {
    s.header(INDEX_ORDERLY_RAM, 2, 1);
    s.put(&u32::try_from(RAM_SIZE).unwrap_or(0));
    let mut offset = 0usize;
    for (handle, index) in orderly(indexes) {
        let size = RAM_HEADER.saturating_add(index.data.len());
        offset = offset.saturating_add(size);
        if offset > RAM_SIZE {
            return Err(ExportFault::Room);
        }
        s.put(&u32::try_from(size).unwrap_or(0));
        s.put(&handle);
        s.put(&index.public.attributes);
        s.array(&index.data);
    }
    if offset.saturating_add(RAM_HEADER) <= RAM_SIZE {
        s.put(&0u32);
    }
    s.future();
    Ok(())
}

/// The memory of orderly Indexes as a little-endian host has it; its entries are not aligned.
pub(super) fn read_native_ram(s: &mut Source<'_>) -> Result<OrderlyRam, ImportFault> {
    let memory = s.array("s_indexOrderlyRam")?;
    let mut ram = OrderlyRam::new();
    let mut rest = memory;
    while let Some((header, _)) = rest.split_first_chunk::<RAM_HEADER>() {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *header;
        let size = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        if size == 0 {
            break;
        }
        let (entry, after) = rest.split_at_checked(size).ok_or_else(|| s.bad("s_indexOrderlyRam"))?;
        let data = entry.get(RAM_HEADER..).ok_or_else(|| s.bad("s_indexOrderlyRam"))?;
        let handle = u32::from_le_bytes([e, f, g, h]);
        let attributes =
            Source::new(&u32::from_le_bytes([i, j, k, l]).to_be_bytes(), NV_INDEX.name).get("attributes")?;
        ram.insert(handle, (attributes, Zeroizing::new(data.to_vec())));
        rest = after;
    }
    Ok(ram)
}

/// Writes the memory of orderly Indexes as a little-endian host has it.
pub(super) fn write_native_ram(s: &mut Sink, indexes: &Sorted<Arc<NvIndex>>) -> Result<(), ExportFault> {
    let mut memory = Zeroizing::new(Vec::with_capacity(RAM_SIZE));
    for (handle, index) in orderly(indexes) {
        let size = RAM_HEADER.saturating_add(index.data.len());
        if memory.len().saturating_add(size) > RAM_SIZE {
            return Err(ExportFault::Room);
        }
        let attributes = super::profile::wire_bytes(&index.public.attributes);
        memory.extend_from_slice(&u32::try_from(size).unwrap_or(0).to_le_bytes());
        memory.extend_from_slice(&handle.to_le_bytes());
        memory.extend(attributes.iter().rev());
        memory.extend_from_slice(&index.data);
    }
    memory.resize(RAM_SIZE, 0);
    s.array(&memory);
    Ok(())
}

/// Puts live attributes and data into orderly Indexes.
pub(super) fn merge_ram(index: &mut NvIndex, ram: &OrderlyRam) {
    if let Some((attributes, data)) = ram.get(index.public.index.0)
        && data.len() == usize::from(index.public.data_size)
    {
        index.public.attributes = *attributes;
        copy(&mut index.data, data);
    }
}

/// What is in user NV.
pub(super) struct UserNv {
    pub(super) nv: Sorted<Arc<NvIndex>>,
    pub(super) persistent: Sorted<Arc<Object>>,
    pub(super) max_counter: u64,
}

fn read_index(s: &mut Source<'_>, handle: u32, ram: &OrderlyRam) -> Result<NvIndex, ImportFault> {
    let version = s.header(NV_INDEX)?;
    let public: NvPublic = s.get("publicArea")?;
    let auth = s.get("authValue")?;
    s.future(version)?;
    let length = usize::try_from(s.get::<u32>("data size")?).unwrap_or(usize::MAX);
    if public.index.0 != handle || usize::from(public.data_size) > MAX_NV_INDEX {
        return Err(s.bad("publicArea"));
    }
    let mut data = s.bytes(length)?.to_vec();
    // The data of orderly Indexes are not here, except for a copy of some kinds.
    let orderly = public.attributes.has(NvAttributes::ORDERLY);
    if orderly {
        data.resize(usize::from(public.data_size), 0xFF);
    }
    if data.len() != usize::from(public.data_size) {
        return Err(s.bad("data size"));
    }
    let mut index = NvIndex { public, auth, data };
    if orderly {
        merge_ram(&mut index, ram);
    }
    Ok(index)
}

/// Reads USER_NVRAM.
pub(super) fn read_user(s: &mut Source<'_>, crypto: &Crypto, ram: &OrderlyRam) -> Result<UserNv, ImportFault> {
    let version = s.header(USER_NVRAM)?;
    s.get::<u64>("size")?;
    let mut user = UserNv { nv: Sorted::new(), persistent: Sorted::new(), max_counter: 0 };
    while s.get::<u32>("entry size")? != 0 {
        let handle = s.get::<u32>("handle")?;
        let twice = match kind(handle) {
            HandleKind::Nv => user.nv.insert(handle, Arc::new(read_index(s, handle, ram)?)).is_some(),
            HandleKind::Persistent => {
                let Some(Slot::Object(object)) = object::read_slot(s, crypto, handle)? else {
                    return Err(ImportFault::Object { handle });
                };
                let object = Object { evict: Some(handle), ..(*object).clone() };
                user.persistent.insert(handle, Arc::new(object)).is_some()
            }
            _ => true,
        };
        s.within(USER_NVRAM);
        if twice {
            return Err(s.bad("handle"));
        }
    }
    user.max_counter = s.get("maxCount")?;
    s.future(version)?;
    Ok(user)
}

/// Writes USER_NVRAM.
pub(super) fn write_user(
    s: &mut Sink,
    profile: &Profile,
    nv: &Sorted<Arc<NvIndex>>,
    persistent: &Sorted<Arc<Object>>,
    max_counter: u64,
) -> Result<(), ExportFault> {
    s.header(USER_NVRAM, 2, 1);
    s.put(&NVRAM_SIZE);
    for (handle, index) in nv.iter() {
        let data: &[u8] = if index.has(NvAttributes::ORDERLY) { &[] } else { &index.data };
        s.put(&u32::try_from(data.len().saturating_add(INDEX_ENTRY)).unwrap_or(u32::MAX));
        s.put(&handle);
        s.header(NV_INDEX, 2, 1);
        s.put(&index.public);
        s.put(&index.auth);
        s.future();
        s.put(&u32::try_from(data.len()).unwrap_or(u32::MAX));
        s.bytes(data);
    }
    for (handle, object) in persistent.iter() {
        let mut entry = Sink::new();
        object::write_slot(&mut entry, profile, Some(&Slot::Object(Arc::clone(object))), handle)?;
        let entry = entry.finish()?;
        // Since level 2 libtpms keeps objects as they are written here, before as they are in memory.
        let length = u32::try_from(entry.len()).unwrap_or(u32::MAX).saturating_add(8);
        s.put(&if profile.level() >= 2 { length } else { OBJECT_ENTRY });
        s.put(&handle);
        s.bytes(&entry);
    }
    s.put(&0u32);
    s.put(&max_counter);
    s.future();
    Ok(())
}
