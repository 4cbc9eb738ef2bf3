//! Sets and maps of addresses, and the filter that the walk of the heap asks for every edge.
//!
//! Invariant: a lookup never touches the memory that an address points to. There is nothing here
//! for Miri to find: the compiler accepts no unsafe code.

#![forbid(unsafe_code)]

use crate::ffi::{Result, no_memory};

/// Fibonacci hashing: the low bits of addresses of objects are all alike.
fn mix(address: usize) -> usize {
    (address >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// An open-addressing map from addresses (not 0) to small numbers.
#[derive(Default)]
pub struct AddressMap {
    slots: Vec<(usize, u32)>,
    len: usize,
}

impl AddressMap {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The slot where `address` is or should be; the table is never full.
    fn slot(&self, address: usize) -> usize {
        let mask = self.slots.len() - 1;
        let mut index = mix(address) >> (usize::BITS - self.slots.len().trailing_zeros());
        loop {
            let found = self.slots[index & mask].0;
            if found == address || found == 0 {
                return index & mask;
            }
            index += 1;
        }
    }

    /// The value of an address, if it is in the map; NULL never is.
    pub fn get(&self, address: usize) -> Option<u32> {
        if self.len == 0 || address == 0 {
            return None;
        }
        let (found, value) = self.slots[self.slot(address)];
        (found == address).then_some(value)
    }

    pub fn contains(&self, address: usize) -> bool {
        self.get(address).is_some()
    }

    /// Inserts unless present; returns the value that was there before.
    pub fn insert(&mut self, address: usize, value: u32) -> Result<Option<u32>> {
        debug_assert_ne!(address, 0);
        if self.len * 2 >= self.slots.len() {
            self.grow()?;
        }
        let slot = self.slot(address);
        if self.slots[slot].0 == address {
            return Ok(Some(self.slots[slot].1));
        }
        self.slots[slot] = (address, value);
        self.len += 1;
        Ok(None)
    }

    pub fn addresses(&self) -> impl Iterator<Item = usize> {
        let addresses = self.slots.iter().map(|&(address, _)| address);
        addresses.filter(|&address| address != 0)
    }

    /// Gives a member another value.
    pub fn replace(&mut self, address: usize, value: u32) {
        let slot = self.slot(address);
        debug_assert_eq!(self.slots[slot].0, address);
        self.slots[slot].1 = value;
    }

    fn grow(&mut self) -> Result<()> {
        let capacity = (self.slots.len() * 2).max(16);
        let mut slots = Vec::new();
        if slots.try_reserve_exact(capacity).is_err() {
            return no_memory();
        }
        slots.resize(capacity, (0, 0));
        let old = std::mem::replace(&mut self.slots, slots);
        for (address, value) in old.into_iter().filter(|(address, _)| *address != 0) {
            let slot = self.slot(address);
            self.slots[slot] = (address, value);
        }
        Ok(())
    }
}

/// Answers "is this one of the addresses?" for every edge of the heap: nearly always no, and from
/// a bitmap that stays in the first-level cache.
pub struct Filter<'a> {
    members: &'a AddressMap,
    bits: Vec<u64>,
    shift: u32,
}

/// Bits of the bitmap for each address: one in sixteen edges is looked at twice.
const BITS_PER_ADDRESS: usize = 16;

impl<'a> Filter<'a> {
    pub fn new(members: &'a AddressMap) -> Result<Self> {
        let bits = (members.len() * BITS_PER_ADDRESS)
            .next_power_of_two()
            .max(1024);
        let mut words = Vec::new();
        if words.try_reserve_exact(bits / 64).is_err() {
            return no_memory();
        }
        words.resize(bits / 64, 0);
        let mut filter = Self {
            members,
            bits: words,
            shift: usize::BITS - bits.trailing_zeros(),
        };
        for &(address, _) in members.slots.iter().filter(|(address, _)| *address != 0) {
            let bit = mix(address) >> filter.shift;
            filter.bits[bit / 64] |= 1 << (bit % 64);
        }
        Ok(filter)
    }

    #[inline(always)]
    pub fn contains(&self, address: usize) -> bool {
        let bit = mix(address) >> self.shift;
        self.bits[bit / 64] & (1 << (bit % 64)) != 0 && self.members.contains(address)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Addresses as they are: multiples of 16, close together or far apart. Never 0.
    fn address() -> impl Strategy<Value = usize> {
        prop_oneof![
            (1usize..2000).prop_map(|n| n << 4),
            (1usize..1 << 43).prop_map(|n| n << 4),
            // Those that the multiplication takes to the end of the table.
            (1usize..64).prop_map(|n| usize::MAX - (n << 4)),
        ]
    }

    fn map_of(items: &[(usize, u32)]) -> AddressMap {
        let mut map = AddressMap::default();
        for &(address, value) in items {
            assert!(map.insert(address, value).is_ok());
        }
        map
    }

    proptest! {
        #[test]
        fn a_map_keeps_the_first_value_of_each_address(
            items in prop::collection::vec((address(), any::<u32>()), 0..500),
            others in prop::collection::vec(address(), 0..100),
        ) {
            let mut map = AddressMap::default();
            let mut model = HashMap::new();
            prop_assert!(map.is_empty());
            for &(address, value) in &items {
                let before = model.get(&address).copied();
                prop_assert_eq!(map.insert(address, value).ok(), Some(before));
                model.entry(address).or_insert(value);
                prop_assert_eq!(map.len(), model.len());
            }
            for address in items.iter().map(|item| item.0).chain(others) {
                prop_assert_eq!(map.get(address), model.get(&address).copied());
                prop_assert_eq!(map.contains(address), model.contains_key(&address));
            }
        }

        #[test]
        fn a_filter_has_the_members_of_its_map_and_no_others(
            items in prop::collection::vec((address(), any::<u32>()), 0..100),
            others in prop::collection::vec(address(), 0..500),
        ) {
            let map = map_of(&items);
            let Ok(filter) = Filter::new(&map) else {
                return Err(TestCaseError::fail("no memory"));
            };
            for address in items.iter().map(|item| item.0).chain(others) {
                prop_assert_eq!(filter.contains(address), map.contains(address));
            }
        }
    }
}
