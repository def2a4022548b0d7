//! Names of workers, each kept once however many attempts it has in the history.

use std::collections::HashSet;
use std::sync::Arc;

/// A set of names that forgets those nobody uses any more.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: HashSet<Arc<str>>,
    /// Forgetting goes over all names: it is done each time their number has doubled.
    sweep_at: usize,
}

impl Names {
    pub(super) fn intern(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.sweep_at {
            self.known.retain(|name| Arc::strong_count(name) > 1);
            self.sweep_at = 64.max(self.known.len() * 2);
        }
        let name: Arc<str> = name.into();
        self.known.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
impl Names {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once() {
        let mut names = Names::default();
        let first = names.intern("worker-1");
        assert!(Arc::ptr_eq(&first, &names.intern("worker-1")));
    }

    #[test]
    fn names_that_nobody_uses_are_forgotten() {
        let mut names = Names::default();
        let kept = names.intern("kept");
        for n in 0..10_000 {
            names.intern(&format!("pod-{n}"));
        }
        assert!(names.known.len() <= 128, "{}", names.known.len());
        assert!(Arc::ptr_eq(&kept, &names.intern("kept")));
    }
}
