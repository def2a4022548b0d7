//! Remembers which task a future will wake.
//!
//! A future that is pending must be polled again only if another waker than the last one asks. A
//! connection is polled for every byte that moves, and asking its timer and its order to close each
//! time would take locks and write to shared memory for nothing.

use std::task::{Context, Waker};

/// The waker that was left with a future.
#[derive(Debug, Default)]
pub(super) struct Left(Option<Waker>);

impl Left {
    /// Whether this task will be woken already. If not, it will be: poll the future now.
    pub(super) fn stands(&mut self, cx: &Context<'_>) -> bool {
        let stands = self
            .0
            .as_ref()
            .is_some_and(|left| left.will_wake(cx.waker()));
        if !stands {
            self.0 = Some(cx.waker().clone());
        }
        stands
    }

    /// The future was set anew and has to be polled again.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn each_task_leaves_its_waker_once() {
        let (one, other) = (Waker::from(Arc::new(Task)), Waker::from(Arc::new(Task)));
        let (one, other) = (Context::from_waker(&one), Context::from_waker(&other));
        let mut left = Left::default();
        assert!(!left.stands(&one), "nobody has been here");
        assert!(left.stands(&one));
        assert!(!left.stands(&other), "the future would wake the wrong task");
        assert!(left.stands(&other));
        left.forget();
        assert!(!left.stands(&other));
    }
}
