use super::{Reader, Wire, Writer};
use crate::Fault;
use core::{fmt, ops::Deref};

/// A TPML: up to `N` items with a 32-bit count in front, held in place. More than `N` is TPM_RC_SIZE.
#[derive(Clone, Copy)]
pub struct List<T, const N: usize> {
    len: usize,
    items: [T; N],
}

impl<T: Default + Copy, const N: usize> List<T, N> {
    /// No items.
    pub fn new() -> Self {
        Self { len: 0, items: [T::default(); N] }
    }

    /// Appends an item; TPM_RC_SIZE if the list is full.
    pub fn push(&mut self, item: T) -> Result<(), Fault> {
        *self.items.get_mut(self.len).ok_or(Fault::SIZE)? = item;
        self.len = self.len.saturating_add(1);
        Ok(())
    }

    /// Appends an item and says whether there was room.
    pub fn try_push(&mut self, item: T) -> bool {
        self.push(item).is_ok()
    }

    /// The items, for changes in place.
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        self.items.get_mut(..self.len).unwrap_or(&mut [])
    }
}

impl<T: Default + Copy, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Deref for List<T, N> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or(&[])
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for List<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: PartialEq, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}
impl<T: Eq, const N: usize> Eq for List<T, N> {}

impl<T: Wire + Default + Copy, const N: usize> Wire for List<T, N> {
    const MAX_SIZE: usize = 4 + N * T::MAX_SIZE;
    fn read(r: &mut Reader<'_>) -> Result<Self, Fault> {
        let count = usize::try_from(u32::read(r)?).map_err(|_| Fault::SIZE)?;
        if count > N {
            return Err(Fault::SIZE);
        }
        let mut list = Self::new();
        for _ in 0..count {
            list.push(T::read(r)?)?;
        }
        Ok(list)
    }
    fn write(&self, w: &mut Writer<'_>) -> Result<(), Fault> {
        u32::try_from(self.len).map_err(|_| Fault::SIZE)?.write(w)?;
        self.iter().try_for_each(|item| item.write(w))
    }
}
