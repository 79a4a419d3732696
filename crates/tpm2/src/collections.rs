//! Maps from handles and sets of command codes as sorted vectors. They are small, quick to copy, and none of their
//! operations can panic, which the maps of the standard library cannot promise to the compiler; and some functions of its
//! iterators and slices in the same manner.

use alloc::vec::Vec;

/// A map from a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sorted<V>(Vec<(u32, V)>);

/// A set of command codes.
pub(crate) type Codes = Sorted<()>;

impl<V> Sorted<V> {
    /// Nothing.
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    fn place(&self, key: u32) -> Result<usize, usize> {
        self.0.binary_search_by_key(&key, |entry| entry.0)
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: u32) -> Option<&V> {
        self.0.get(self.place(key).ok()?).map(|entry| &entry.1)
    }

    /// The value of a key, for changes.
    pub(crate) fn get_mut(&mut self, key: u32) -> Option<&mut V> {
        let place = self.place(key).ok()?;
        self.0.get_mut(place).map(|entry| &mut entry.1)
    }

    /// True if the key is there.
    pub(crate) fn contains(&self, key: u32) -> bool {
        self.place(key).is_ok()
    }

    /// Adds a value and returns the one that was there.
    pub(crate) fn insert(&mut self, key: u32, value: V) -> Option<V> {
        match self.place(key) {
            Ok(place) => self.0.get_mut(place).map(|entry| core::mem::replace(&mut entry.1, value)),
            Err(place) => {
                self.0.push((key, value));
                if let Some(tail @ [_, ..]) = self.0.get_mut(place..) {
                    tail.rotate_right(1);
                }
                None
            }
        }
    }

    /// Removes a key and its value.
    pub(crate) fn remove(&mut self, key: u32) {
        let Ok(place) = self.place(key) else { return };
        if let Some(tail @ [_, ..]) = self.0.get_mut(place..) {
            tail.rotate_left(1);
            self.0.pop();
        }
    }

    /// How many there are.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys, ascending.
    pub(crate) fn keys(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|entry| entry.0)
    }

    /// The values, ascending by key.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|entry| &entry.1)
    }

    /// Keys and values, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &V)> {
        self.0.iter().map(|entry| (entry.0, &entry.1))
    }
}

impl Codes {
    /// Adds a code.
    pub(crate) fn add(&mut self, code: u32) {
        self.insert(code, ());
    }
}

impl<V> FromIterator<(u32, V)> for Sorted<V> {
    fn from_iter<I: IntoIterator<Item = (u32, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl FromIterator<u32> for Codes {
    fn from_iter<I: IntoIterator<Item = u32>>(codes: I) -> Self {
        codes.into_iter().map(|code| (code, ())).collect()
    }
}

/// How many there are.
pub(crate) fn tally<T>(items: impl Iterator<Item = T>) -> usize {
    items.fold(0, |n, _| n.saturating_add(1))
}

/// Copies as many bytes as both have.
pub(crate) fn copy(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
}

#[cfg(test)]
mod tests {
    use super::{Codes, Sorted};
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    #[test]
    fn is_the_map_of_the_standard_library() {
        let (mut ours, mut theirs) = (Sorted::new(), BTreeMap::new());
        let mut number = 7u32;
        for step in 0..2000u32 {
            number = number.wrapping_mul(1_103_515_245).wrapping_add(12345);
            let key = number >> 16 & 63;
            if number >> 30 == 0 {
                ours.remove(key);
                theirs.remove(&key);
            } else {
                assert_eq!(ours.insert(key, step), theirs.insert(key, step));
            }
            assert_eq!(ours.get(key), theirs.get(&key));
            assert_eq!(ours.contains(63 - key), theirs.contains_key(&(63 - key)));
            assert!(ours.iter().eq(theirs.iter().map(|(k, v)| (*k, v))));
        }
        assert_eq!(ours.len(), theirs.len());
    }

    #[test]
    fn codes_are_a_set() {
        let codes: Codes = [3, 1, 2, 3].into_iter().collect();
        assert_eq!(codes.keys().collect::<Vec<_>>(), [1, 2, 3]);
    }
}
