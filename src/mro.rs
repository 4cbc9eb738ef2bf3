//! The method resolution orders that classes will have with other bases.
//!
//! The C3 linearization (Barrett et al., "A Monotonic Superclass Linearization for Dylan", OOPSLA
//! 1996) as `mro_implementation()` in Objects/typeobject.c does it, but of bases that the classes
//! do not have yet: several classes get theirs at once, and a class that inherits from two of them
//! is judged by what both will be.

#![forbid(unsafe_code)]

use crate::addresses::AddressMap;
use crate::ffi::{Result, push};

/// What is known of a class beforehand. Classes are addresses.
pub enum Class {
    /// Its MRO stays what it is.
    Settled(Vec<usize>),
    /// Its MRO follows from these bases.
    Inherits(Vec<usize>),
    /// The `mro()` of its metaclass makes something of these bases, which is not known.
    Own(Vec<usize>),
}

/// Why a class cannot have its bases.
#[derive(Debug, PartialEq)]
pub enum Conflict {
    /// It would inherit from itself.
    Cycle,
    Duplicate(usize),
    /// None of these can come first.
    Order(Vec<usize>),
}

enum State {
    /// Its bases are being looked at.
    OnPath,
    Mro(Vec<usize>),
    Unknown,
    /// One of its ancestors, or itself, is among the conflicts.
    Failed,
}

/// The MROs found so far, and the classes for which there is none.
pub struct Hierarchy<F> {
    class: F,
    index: AddressMap,
    states: Vec<State>,
    pub conflicts: Vec<(usize, Conflict)>,
}

impl<F: Fn(usize) -> Result<Class>> Hierarchy<F> {
    /// `class` says what is known of a class.
    pub fn new(class: F) -> Self {
        Self {
            class,
            index: AddressMap::default(),
            states: Vec::new(),
            conflicts: Vec::new(),
        }
    }

    /// Looks at a class and its ancestors, unless that has been done.
    ///
    /// # Errors
    /// No memory. A class without an MRO is no error, but among the conflicts.
    pub fn visit(&mut self, class: usize) -> Result<()> {
        self.state(class).map(|_| ())
    }

    /// The index of its state.
    fn state(&mut self, class: usize) -> Result<usize> {
        let index = self.states.len();
        if let Some(known) = self.index.insert(class, index as u32)? {
            return Ok(known as usize);
        }
        push(&mut self.states, State::OnPath)?;
        let (bases, own) = match (self.class)(class)? {
            Class::Settled(mro) => {
                self.states[index] = State::Mro(mro);
                return Ok(index);
            }
            Class::Inherits(bases) => (bases, false),
            Class::Own(bases) => (bases, true),
        };
        self.states[index] = self.linearize(class, bases, own)?;
        Ok(index)
    }

    fn linearize(&mut self, class: usize, bases: Vec<usize>, own: bool) -> Result<State> {
        let mut states = Vec::new();
        let (mut failed, mut unknown, mut cycle) = (false, own, false);
        for &base in &bases {
            let state = self.state(base)?;
            match self.states[state] {
                State::OnPath => cycle = true,
                State::Failed => failed = true,
                State::Unknown => unknown = true,
                State::Mro(_) => {}
            }
            push(&mut states, state)?;
        }
        let conflict = if cycle {
            Conflict::Cycle
        } else if failed {
            return Ok(State::Failed);
        } else if unknown {
            return Ok(State::Unknown);
        } else if let Some(base) = duplicate(&bases) {
            Conflict::Duplicate(base)
        } else {
            let mut rows: Vec<&[usize]> = Vec::new();
            for state in states {
                if let State::Mro(mro) = &self.states[state] {
                    push(&mut rows, mro)?;
                }
            }
            push(&mut rows, &bases)?;
            match merge(class, &mut rows)? {
                Ok(mro) => return Ok(State::Mro(mro)),
                Err(first) => Conflict::Order(first),
            }
        };
        push(&mut self.conflicts, (class, conflict))?;
        Ok(State::Failed)
    }
}

fn duplicate(bases: &[usize]) -> Option<usize> {
    let twice = |(at, base): (usize, &usize)| bases[..at].contains(base);
    let at = bases.iter().enumerate().position(twice)?;
    Some(bases[at])
}

/// Merges the MROs of the bases, and the bases, into one order that agrees with all; or what comes
/// first in those that remain. `pmerge()`.
fn merge(
    class: usize,
    rows: &mut [&[usize]],
) -> Result<std::result::Result<Vec<usize>, Vec<usize>>> {
    let mut mro = Vec::new();
    push(&mut mro, class)?;
    loop {
        let mut heads = rows.iter().filter_map(|row| row.first()).copied();
        let is_next = |&head: &usize| {
            rows.iter()
                .all(|row| !row.iter().skip(1).any(|&c| c == head))
        };
        let Some(next) = heads.clone().find(is_next) else {
            if heads.next().is_none() {
                return Ok(Ok(mro));
            }
            let mut first = Vec::new();
            for head in rows.iter().filter_map(|row| row.first()) {
                if !first.contains(head) {
                    push(&mut first, *head)?;
                }
            }
            return Ok(Err(first));
        };
        push(&mut mro, next)?;
        for row in rows.iter_mut() {
            if row.first() == Some(&next) {
                *row = &row[1..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    const OBJECT: usize = 16;

    /// The MRO of the last class, and all conflicts. Classes not named are settled, below `object`.
    fn look(classes: &[(usize, &[usize])]) -> (Option<Vec<usize>>, Vec<(usize, Conflict)>) {
        let known: HashMap<usize, &[usize]> = classes.iter().copied().collect();
        let mut hierarchy = Hierarchy::new(|class| {
            Ok(match known.get(&class) {
                Some(bases) => Class::Inherits(bases.to_vec()),
                None if class == OBJECT => Class::Settled(vec![OBJECT]),
                None => Class::Settled(vec![class, OBJECT]),
            })
        });
        let last = classes.last().unwrap().0;
        for (class, _) in classes {
            hierarchy.visit(*class).ok().unwrap();
        }
        let index = hierarchy.state(last).ok().unwrap();
        let mro = match &hierarchy.states[index] {
            State::Mro(mro) => Some(mro.clone()),
            _ => None,
        };
        (mro, hierarchy.conflicts)
    }

    #[test]
    fn diamond() {
        let (mro, conflicts) = look(&[(32, &[48]), (64, &[48]), (80, &[32, 64])]);
        assert_eq!(mro, Some(vec![80, 32, 64, 48, OBJECT]));
        assert_eq!(conflicts, []);
    }

    #[test]
    fn order_of_two_bases_that_disagree() {
        let (mro, conflicts) = look(&[(32, &[64, 80]), (48, &[80, 64]), (96, &[32, 48])]);
        assert_eq!(mro, None);
        assert_eq!(conflicts, [(96, Conflict::Order(vec![64, 80]))]);
    }

    #[test]
    fn base_before_its_subclass() {
        let (_, conflicts) = look(&[(32, &[48]), (64, &[48, 32])]);
        assert_eq!(conflicts, [(64, Conflict::Order(vec![48, 32]))]);
    }

    #[test]
    fn the_same_base_twice() {
        let (_, conflicts) = look(&[(32, &[48, 48]), (64, &[32])]);
        assert_eq!(conflicts, [(32, Conflict::Duplicate(48))]);
    }

    #[test]
    fn one_conflict_for_a_cycle() {
        let (_, conflicts) = look(&[(32, &[48]), (48, &[64]), (64, &[32]), (80, &[48])]);
        assert_eq!(conflicts, [(64, Conflict::Cycle)]);
    }

    #[test]
    fn what_a_metaclass_makes_of_bases_is_not_known() {
        let mut hierarchy = Hierarchy::new(|class| {
            Ok(match class {
                32 => Class::Own(vec![48, 48]),
                64 => Class::Inherits(vec![32, 32]),
                _ => Class::Settled(vec![class, OBJECT]),
            })
        });
        hierarchy.visit(64).ok().unwrap();
        assert!(hierarchy.conflicts.is_empty());
    }
}
