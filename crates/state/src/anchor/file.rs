//! An anchor in a file: one line for each VM and kind. It belongs on another disk than the states, where whoever can put
//! an old state back cannot put an old anchor back.

use super::Anchor;
use crate::disk::{Disk, DiskFile, How, read_exact, replace};
use crate::error::{Mark, StateError};
use crate::identity::{Digest, Kind, VmId};
use core::time::Duration;
use std::io::ErrorKind;
use std::time::Instant;

/// An anchor in a file of a folder.
pub struct FileAnchor {
    disk: Box<dyn Disk>,
    name: String,
}

/// The first line.
const FIRST: &str = "sealwright-anchor 1";
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// How long is waited for others that change the file, and between two looks.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(1);

type Line = (Kind, VmId, Mark);

impl FileAnchor {
    /// The file of this name in a folder. It is made when first needed, and a lock file beside it.
    pub fn new(disk: Box<dyn Disk>, name: impl Into<String>) -> Self {
        Self { disk, name: name.into() }
    }

    fn fault(&self, what: &'static str, error: &std::io::Error) -> StateError {
        StateError::io(&self.disk.path(&self.name), what, error)
    }

    /// The file is changed by one program at a time until this is dropped: it may have the anchors of other VMs too.
    fn alone(&self) -> Result<Box<dyn DiskFile>, StateError> {
        let fault = |error| self.fault("locking the anchor", &error);
        let lock = self.disk.open(&format!("{}.lock", self.name), How::Create).map_err(fault)?;
        let begin = Instant::now();
        while !lock.try_lock().map_err(fault)? {
            if begin.elapsed() >= PATIENCE {
                return Err(fault(ErrorKind::TimedOut.into()));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(lock)
    }

    fn lines(&self) -> Result<Vec<Line>, StateError> {
        let place = self.disk.path(&self.name);
        let file = match self.disk.open(&self.name, How::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.fault("opening the anchor", &error)),
        };
        let size = file.size().map_err(|e| self.fault("reading the anchor", &e))?;
        let damaged = |why: &str| StateError::Damaged { place: place.clone(), why: why.to_owned() };
        let length =
            usize::try_from(size).ok().filter(|_| size <= MAX_FILE).ok_or_else(|| damaged("it is too large"))?;
        let mut bytes = vec![0; length];
        read_exact(&*file, 0, &mut bytes).map_err(|e| self.fault("reading the anchor", &e))?;
        // The last line is the digest of all before it, so that a lost tail does not forget anchors.
        let text = core::str::from_utf8(&bytes).map_err(|_| damaged("it is not text"))?;
        let (body, sum) = text.trim_end_matches('\n').rsplit_once('\n').ok_or_else(|| damaged("it is cut off"))?;
        if sum != format!("sha256 {}", Digest::of(&[body.as_bytes(), b"\n"])) {
            return Err(damaged("the checksum of the anchor is wrong"));
        }
        let mut lines = body.lines();
        if lines.next() != Some(FIRST) {
            return Err(damaged("it is not an anchor of this version"));
        }
        lines.map(|line| parse(line).ok_or_else(|| damaged("a line makes no sense"))).collect()
    }
}

fn parse(line: &str) -> Option<Line> {
    let mut fields = line.splitn(4, ' ');
    let name = fields.next()?;
    let kind = Kind::ALL.into_iter().find(|k| k.name() == name)?;
    let sequence = fields.next()?.parse().ok()?;
    let hex = fields.next()?;
    let mut digest = [0; 32];
    (hex.len() == 64).then_some(())?;
    for (n, byte) in digest.iter_mut().enumerate() {
        let at = n.checked_mul(2)?;
        *byte = u8::from_str_radix(hex.get(at..at.checked_add(2)?)?, 16).ok()?;
    }
    Some((kind, VmId::new(fields.next()?).ok()?, Mark { sequence, digest: Digest(digest), epoch: 0 }))
}

impl Anchor for FileAnchor {
    fn name(&self) -> String {
        format!("the anchor {}", self.disk.path(&self.name))
    }

    fn read(&mut self, vm: &VmId, kind: Kind) -> Result<Option<Mark>, StateError> {
        Ok(self.lines()?.into_iter().find(|(k, v, _)| *k == kind && v == vm).map(|(_, _, mark)| mark))
    }

    fn advance(&mut self, vm: &VmId, kind: Kind, mark: Mark) -> Result<(), StateError> {
        let _alone = self.alone()?;
        let mut lines = self.lines()?;
        // The sequence and the digest are enough, as it is told of each generation.
        match lines.iter_mut().find(|(k, v, _)| *k == kind && v == vm) {
            Some((_, _, old)) => *old = mark,
            None => lines.push((kind, vm.clone(), mark)),
        }
        self.write(lines)
    }

    fn forget(&mut self, vm: &VmId, kind: Kind) -> Result<(), StateError> {
        let _alone = self.alone()?;
        let mut lines = self.lines()?;
        let before = lines.len();
        lines.retain(|(k, v, _)| *k != kind || v != vm);
        if lines.len() == before { Ok(()) } else { self.write(lines) }
    }
}

impl FileAnchor {
    fn write(&self, lines: Vec<Line>) -> Result<(), StateError> {
        let mut text = format!("{FIRST}\n");
        for (kind, vm, mark) in lines {
            text.push_str(&format!("{kind} {} {} {vm}\n", mark.sequence, mark.digest));
        }
        text.push_str(&format!("sha256 {}\n", Digest::of(&[text.as_bytes()])));
        replace(&*self.disk, &self.name, text.as_bytes()).map_err(|e| self.fault("writing the anchor", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::anchor::contract::{Traits, run};
    use crate::disk::HostFolder;
    use crate::testing::Place;

    #[test]
    fn runs_the_contract() {
        let place = Place::new("anchor-contract");
        let disk = || Box::new(HostFolder::open(place.path(), None).unwrap());
        run(&mut || Box::new(FileAnchor::new(disk(), "anchors")), Traits { many: true });
    }

    #[test]
    fn vms_that_share_a_file_do_not_disturb_each_other() {
        let place = Place::new("anchor-shared");
        let anchor = || FileAnchor::new(Box::new(HostFolder::open(place.path(), None).unwrap()), "anchors");
        let mark = |sequence: u64| Mark { sequence, digest: Digest::of(&[]), epoch: 0 };
        let vms = ["a", "b", "c"].map(|name| VmId::new(name).unwrap());
        std::thread::scope(|scope| {
            for vm in &vms {
                scope.spawn(move || {
                    let mut anchor = anchor();
                    (1..=100).for_each(|sequence| anchor.advance(vm, Kind::Tpm, mark(sequence)).unwrap());
                });
            }
        });
        for vm in &vms {
            assert_eq!(anchor().read(vm, Kind::Tpm).unwrap(), Some(mark(100)));
        }
    }
}
