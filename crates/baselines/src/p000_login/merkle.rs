//! The Merkle tree behind an RSU's beacon.

use super::hash;

/// Siblings from a leaf upwards, with the side on which they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch(pub Vec<(Place, [u8; 32])>);

/// Side of a sibling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The sibling is the left child.
    Left,
    /// The sibling is the right child.
    Right,
}

impl Branch {
    /// The root to which this branch leads from `leaf`.
    #[must_use]
    pub fn root(&self, leaf: [u8; 32]) -> [u8; 32] {
        self.0
            .iter()
            .fold(leaf, |at, (place, sibling)| match place {
                Place::Left => node(sibling, &at),
                Place::Right => node(&at, sibling),
            })
    }
}

/// A tree over leaves; a node without sibling moves up unchanged.
pub struct Tree(Vec<Vec<[u8; 32]>>);

impl Tree {
    /// Builds the tree. Without leaves the root is 32 zero bytes.
    #[must_use]
    pub fn new(leaves: Vec<[u8; 32]>) -> Self {
        let mut levels = vec![leaves];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let next = last
                .chunks(2)
                .map(|pair| pair.get(1).map_or(pair[0], |right| node(&pair[0], right)))
                .collect();
            levels.push(next);
        }
        Self(levels)
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.0
            .last()
            .and_then(|level| level.first())
            .copied()
            .unwrap_or_default()
    }

    /// The branch of leaf `index`, counted from 0; `None` outside the tree.
    #[must_use]
    pub fn branch(&self, mut index: usize) -> Option<Branch> {
        self.0.first()?.get(index)?;
        let mut siblings = Vec::new();
        for level in &self.0 {
            let place = if index % 2 == 1 {
                Place::Left
            } else {
                Place::Right
            };
            if let Some(sibling) = level.get(index ^ 1) {
                siblings.push((place, *sibling));
            }
            index /= 2;
        }
        Some(Branch(siblings))
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    hash(&[&[1], left, right])
}
