//! swtpm's linear file (`backend-uri=file://`): all parts in one file or block device.
//!
//! Its header lists where each part is. swtpm overwrites parts in place, so a loss of power may leave half of one. Here the
//! parts are written where none are before the header, which is smaller than a sector, points to them. [`Linear::store`]
//! replaces a file whole, which keeps it small; [`Linear::update`] keeps the file itself, as a TPM that runs on it must:
//! others may watch or hold it, and its folder may not be writable.
//!
//! Parts follow each other without gaps: swtpm moves them as if there were none. Before the first one there may be room.

use super::{MAX_BLOB, Part, SwtpmError};
use crate::disk::{Disk, DiskFile, HostFolder, How, make_new, read_exact, write_all};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// `swtpmlin`, which is written as a little-endian number.
const MAGIC: u64 = 0x7377_7470_6D6C_696E;
const VERSION: u8 = 1;
/// Bytes of the header: magic number, version, padding, its own size, and 15 entries of three numbers.
const HEADER: usize = 192;
const ENTRIES: usize = 15;
const ENTRY: usize = 12;
/// Bytes before the entries.
const HEAD: usize = 12;

/// Where a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    offset: u32,
    length: u32,
    section: u32,
}

impl Entry {
    const fn end(self) -> u64 {
        self.offset as u64 + self.section as u64
    }
}

/// A linear file of swtpm's.
pub struct Linear {
    path: PathBuf,
    name: String,
    disk: Box<dyn Disk>,
    file: Box<dyn DiskFile>,
    is_device: bool,
    locked: bool,
    sync: bool,
}

impl core::fmt::Debug for Linear {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Linear").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Linear {
    /// Opens a file or a block device. With `create`, a file that is not there is made, and one that is empty or
    /// whose first bytes are zero is taken as one without parts.
    pub fn open(path: &Path, mode: Option<u32>, create: bool) -> Result<Self, SwtpmError> {
        use std::os::unix::fs::FileTypeExt;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // The folder may be one that this user can pass but not list.
        let disk = HostFolder::open(parent, mode).or_else(|_| HostFolder::open_unlisted(parent, mode));
        let disk = disk.map_err(|e| SwtpmError::io(parent, "opening the folder", &e))?;
        let is_device = std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_block_device());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let linear = Self::on(path, Box::new(disk), name, is_device, create)?;
        if create && linear.is_unused()? {
            linear.store_beside(&[])?;
        }
        linear.entries()?;
        Ok(linear)
    }

    /// The file of this name on this disk; `path` is for messages. Nothing is read or made in it yet.
    pub fn on(
        path: &Path,
        disk: Box<dyn Disk>,
        name: String,
        is_device: bool,
        create: bool,
    ) -> Result<Self, SwtpmError> {
        let file = match disk.open(&name, How::Write) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound && create && !is_device => {
                disk.open(&name, How::New).map_err(|e| SwtpmError::io(path, "making", &e))?
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                return Err(SwtpmError::Missing { place: path.display().to_string(), what: "the file" });
            }
            Err(e) => return Err(SwtpmError::io(path, "opening", &e)),
        };
        Ok(Self { path: path.to_owned(), name, disk, file, is_device, locked: false, sync: true })
    }

    fn fault(&self, what: &'static str) -> impl Fn(std::io::Error) -> SwtpmError {
        let path = self.path.clone();
        move |e| SwtpmError::io(&path, what, &e)
    }

    /// Takes the lock that swtpm takes too; it is held until this is dropped.
    pub fn lock(&mut self) -> Result<(), SwtpmError> {
        if self.file.try_lock().map_err(self.fault("locking"))? {
            self.locked = true;
            Ok(())
        } else {
            Err(SwtpmError::Locked { place: self.path.display().to_string() })
        }
    }

    /// Gives the lock back.
    pub fn unlock(&mut self) {
        if core::mem::take(&mut self.locked) {
            self.file.unlock();
        }
    }

    /// True while this holds the lock.
    pub const fn is_locked(&self) -> bool {
        self.locked
    }

    /// Without syncing, what is written is durable when the system thinks so.
    #[must_use]
    pub fn with_sync(self, sync: bool) -> Self {
        Self { sync, ..self }
    }

    /// Bytes of a part; `None` if there is none.
    pub fn part_size(&self, part: Part) -> Result<Option<u64>, SwtpmError> {
        let entries = self.entries()?;
        let entry = Part::ALL.iter().position(|p| *p == part).and_then(|number| entries.get(number));
        Ok(entry.filter(|entry| entry.offset != 0).map(|entry| u64::from(entry.length)))
    }

    fn size(&self) -> Result<u64, SwtpmError> {
        self.file.size().map_err(self.fault("reading"))
    }

    fn is_unused(&self) -> Result<bool, SwtpmError> {
        if self.size()? == 0 {
            return Ok(true);
        }
        let mut head = [0; HEADER];
        match read_exact(&*self.file, 0, &mut head) {
            Ok(()) => Ok(head.iter().all(|byte| *byte == 0)),
            Err(_) => Ok(false),
        }
    }

    /// The entries of the header, checked: parts are inside the file and do not overlap.
    fn entries(&self) -> Result<[Entry; ENTRIES], SwtpmError> {
        let size = self.size()?;
        if size == 0 {
            return Err(SwtpmError::Empty { place: self.path.display().to_string() });
        }
        let mut header = [0; HEADER];
        if size < HEADER as u64 {
            return Err(SwtpmError::damaged("the header of the linear file is cut off"));
        }
        read_exact(&*self.file, 0, &mut header).map_err(self.fault("reading"))?;
        let (head, entries) = header.split_first_chunk::<HEAD>().ok_or_else(|| SwtpmError::damaged("no header"))?;
        let [magic @ .., version, _, s0, s1] = *head;
        if u64::from_le_bytes(magic) != MAGIC {
            return Err(SwtpmError::damaged("it is not a linear file of swtpm's"));
        }
        if version > VERSION {
            return Err(SwtpmError::Version { needed: version, known: VERSION });
        }
        if usize::from(u16::from_le_bytes([s0, s1])) != HEADER {
            return Err(SwtpmError::damaged("the header of the linear file has another size"));
        }
        let mut found = [Entry::default(); ENTRIES];
        let (places, _) = entries.as_chunks::<ENTRY>();
        for (entry, place) in found.iter_mut().zip(places) {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = *place;
            *entry = Entry {
                offset: u32::from_le_bytes([a, b, c, d]),
                length: u32::from_le_bytes([e, f, g, h]),
                section: u32::from_le_bytes([i, j, k, l]),
            };
            let used = entry.offset != 0;
            let inside = entry.offset as usize >= HEADER && entry.end() <= size && entry.length <= entry.section;
            if used && !inside {
                return Err(SwtpmError::damaged("a part lies outside the linear file"));
            }
        }
        let used = || found.iter().filter(|entry| entry.offset != 0);
        let overlap = |a: &Entry, b: &Entry| u64::from(a.offset) < b.end() && u64::from(b.offset) < a.end();
        if used().enumerate().any(|(n, a)| used().skip(n.saturating_add(1)).any(|b| overlap(a, b))) {
            return Err(SwtpmError::damaged("two parts of the linear file overlap"));
        }
        Ok(found)
    }

    /// A part, in its envelope; `None` if there is none.
    pub fn read(&self, part: Part) -> Result<Option<Zeroizing<Vec<u8>>>, SwtpmError> {
        let entries = self.entries()?;
        let entry = Part::ALL.iter().position(|p| *p == part).and_then(|number| entries.get(number));
        let Some(entry) = entry.filter(|entry| entry.offset != 0) else { return Ok(None) };
        let size = usize::try_from(entry.length).unwrap_or(usize::MAX);
        if size > MAX_BLOB {
            return Err(SwtpmError::TooLarge { what: "a part of the linear file", size, most: MAX_BLOB });
        }
        let mut bytes = Zeroizing::new(vec![0; size]);
        read_exact(&*self.file, entry.offset.into(), &mut bytes).map_err(self.fault("reading"))?;
        Ok(Some(bytes))
    }

    /// Stores these parts in their envelopes, and no others.
    pub fn store(&mut self, parts: &[(Part, &[u8])]) -> Result<(), SwtpmError> {
        if self.is_device {
            return self.store_beside(parts);
        }
        let (header, body) = layout(HEADER as u64, parts)?;
        self.file = self.replace(&header, &body).map_err(self.fault("writing"))?;
        Ok(())
    }

    /// Puts this in the place of one part, or removes the part; the others stay. A file grows if it must.
    pub fn update(&mut self, part: Part, bytes: Option<&[u8]>) -> Result<(), SwtpmError> {
        let mut kept = Vec::new();
        for other in Part::ALL {
            if other != part
                && let Some(bytes) = self.read(other)?
            {
                kept.push((other, bytes));
            }
        }
        let mut parts: Vec<(Part, &[u8])> = kept.iter().map(|(part, bytes)| (*part, bytes.as_slice())).collect();
        parts.extend(bytes.map(|bytes| (part, bytes)));
        self.store_beside(&parts)
    }

    /// Writes the parts where none are, and only then the header.
    fn store_beside(&self, parts: &[(Part, &[u8])]) -> Result<(), SwtpmError> {
        let start = self.free_place(parts)?;
        let (header, body) = layout(start, parts)?;
        let sync = || if self.sync { self.file.sync_all() } else { Ok(()) };
        let write = || {
            write_all(&*self.file, start, &body)?;
            sync()?;
            write_all(&*self.file, 0, &header)?;
            sync()
        };
        write().map_err(self.fault("writing"))
    }

    /// Puts a new file in the place of the old one, once it is durable (and locked, if the old one is).
    fn replace(&self, header: &[u8], body: &[u8]) -> std::io::Result<Box<dyn DiskFile>> {
        let new = format!("{}.new", self.name);
        let file = make_new(&*self.disk, &new)?;
        if self.locked && !file.try_lock()? {
            return Err(ErrorKind::WouldBlock.into());
        }
        write_all(&*file, 0, header)?;
        write_all(&*file, HEADER as u64, body)?;
        file.sync_all()?;
        self.disk.rename(&new, &self.name)?;
        self.disk.sync()?;
        Ok(file)
    }

    /// Where on the device (or in the file, which grows) the parts fit without touching those that are there.
    fn free_place(&self, parts: &[(Part, &[u8])]) -> Result<u64, SwtpmError> {
        let needed = parts.iter().fold(0u64, |n, (_, bytes)| n.saturating_add(section(bytes)));
        let used: Vec<Entry> = match self.entries() {
            Ok(entries) => entries.into_iter().filter(|entry| entry.offset != 0).collect(),
            Err(_) if self.is_unused()? => Vec::new(),
            Err(e) => return Err(e),
        };
        let first = used.iter().map(|entry| u64::from(entry.offset)).min().unwrap_or(u64::MAX);
        let last = used.iter().map(|entry| entry.end()).max().unwrap_or(HEADER as u64);
        if first.saturating_sub(HEADER as u64) >= needed {
            return Ok(HEADER as u64);
        }
        let size = self.size()?;
        if !self.is_device || size.saturating_sub(last) >= needed {
            return Ok(last);
        }
        let (size, most) = (usize::try_from(needed).unwrap_or(usize::MAX), usize::try_from(size).unwrap_or(usize::MAX));
        Err(SwtpmError::TooLarge { what: "the state beside the one that is on the device", size, most })
    }
}

/// Bytes of the section of a part: swtpm leaves it room to grow.
fn section(bytes: &[u8]) -> u64 {
    bytes.len().next_power_of_two() as u64
}

/// The header and the parts, which begin at `start`, without gaps between them.
fn layout(start: u64, parts: &[(Part, &[u8])]) -> Result<(Vec<u8>, Zeroizing<Vec<u8>>), SwtpmError> {
    let mut entries = [Entry::default(); ENTRIES];
    let mut body = Zeroizing::new(Vec::new());
    let too_large = |size| SwtpmError::TooLarge { what: "the state", size, most: MAX_BLOB };
    let mut offset = start;
    for (part, bytes) in parts {
        if bytes.len() > MAX_BLOB {
            return Err(too_large(bytes.len()));
        }
        let number = |value: u64| u32::try_from(value).map_err(|_| too_large(bytes.len()));
        let entry =
            Entry { offset: number(offset)?, length: number(bytes.len() as u64)?, section: number(section(bytes))? };
        if let Some(place) = Part::ALL.iter().position(|p| p == part).and_then(|number| entries.get_mut(number)) {
            *place = entry;
        }
        let mut longer = Zeroizing::new(Vec::with_capacity(body.len().saturating_add(entry.section as usize)));
        longer.extend_from_slice(&body);
        longer.extend_from_slice(bytes);
        longer.resize(body.len().saturating_add(entry.section as usize), 0);
        body = longer;
        offset = entry.end();
    }
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(&MAGIC.to_le_bytes());
    header.extend_from_slice(&[VERSION, 0]);
    header.extend_from_slice(&u16::try_from(HEADER).unwrap_or(0).to_le_bytes());
    for entry in entries {
        [entry.offset, entry.length, entry.section].iter().for_each(|n| header.extend_from_slice(&n.to_le_bytes()));
    }
    Ok((header, body))
}
