//! The bytes of a journal, of which a window is in memory. A journal has room for many records, half a megabyte of zeros
//! mostly; a process that held all of it once would keep the memory for its life.

use crate::backend::{Backend, Stored};
use crate::error::StateError;

/// Bytes that are read at once. A record is a few kilobytes.
const WINDOW: usize = 32 * 1024;

/// A journal that was found in a back end.
pub(crate) struct View<'a> {
    backend: &'a mut dyn Backend,
    stored: &'a Stored,
    /// Where the window begins.
    begin: usize,
    window: Vec<u8>,
}

impl<'a> View<'a> {
    /// What [`Backend::open`] gave.
    pub(crate) const fn new(backend: &'a mut dyn Backend, stored: &'a Stored) -> Self {
        Self { backend, stored, begin: 0, window: Vec::new() }
    }

    /// The length of all.
    pub(crate) fn length(&self) -> usize {
        self.stored.length()
    }

    /// The bytes from `at` on: `least` of them or more, or all that there are.
    pub(crate) fn bytes(&mut self, at: usize, least: usize) -> Result<&[u8], StateError> {
        if let Stored::Whole(bytes) = self.stored {
            return Ok(bytes.get(at..).unwrap_or_default());
        }
        let rest = self.length().saturating_sub(at);
        let least = least.min(rest);
        let skip = at.checked_sub(self.begin).filter(|skip| {
            let there = self.window.len().checked_sub(*skip);
            there.is_some_and(|there| there >= least)
        });
        let skip = match skip {
            Some(skip) => skip,
            None => {
                // Before the next one is made, which then takes its place.
                self.window = Vec::new();
                self.window =
                    self.backend.read_at(u64::try_from(at).unwrap_or(u64::MAX), least.max(WINDOW).min(rest))?;
                self.begin = at;
                0
            }
        };
        Ok(self.window.get(skip..).unwrap_or_default())
    }

    /// True if there is nothing but zeros from `at` on.
    pub(crate) fn is_zero(&mut self, mut at: usize) -> Result<bool, StateError> {
        while at < self.length() {
            let piece = self.bytes(at, 1)?;
            if piece.is_empty() || !super::scan::is_zero(piece) {
                return Ok(false);
            }
            at = at.saturating_add(piece.len());
        }
        Ok(true)
    }
}
