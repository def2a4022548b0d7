//! All families of a program, in the order of its page.

use crate::Family;

/// What a program exposes: nothing more, nothing less.
#[derive(Debug, Clone, Copy)]
pub struct Catalog {
    /// The program's name.
    pub program: &'static str,
    /// Where it answers, in a sentence or two.
    pub place: &'static str,
    /// Its families by what they are about.
    pub groups: &'static [Group],
}

/// Families about one thing.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// What they are about.
    pub title: &'static str,
    /// What holds for all of them; may be empty.
    pub about: &'static str,
    /// The families.
    pub families: &'static [&'static Family],
}

impl Catalog {
    /// Every family.
    pub fn families(&self) -> impl Iterator<Item = &'static Family> {
        let groups = self.groups.iter();
        groups.flat_map(|group| group.families.iter().copied())
    }
}
