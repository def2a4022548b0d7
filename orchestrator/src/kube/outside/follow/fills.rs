//! The queues that are filled while a run is followed.

use std::time::Instant;

use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::{Follower, STUCK};
use crate::kube::outside::fill::{self, Filling};
use crate::kube::outside::order::Fill;
use crate::kube::outside::reach::Reach;

/// A queue being filled.
pub(super) struct Filled {
    pub(super) fill: Fill,
    pub(super) told: watch::Receiver<Filling>,
    waits: Option<(Instant, bool)>,
    _task: AbortOnDropHandle<()>,
}

impl Follower {
    /// Begins to fill, once it is known where the queue server is.
    pub(super) fn begin_fills(&mut self) {
        if self.following.fills.is_empty() {
            return;
        }
        let Some(queues) = self.queues() else { return };
        for fill in std::mem::take(&mut self.following.fills) {
            let (tell, told) = watch::channel(Filling::In(0));
            let task = tokio::spawn(fill::fill(queues.clone(), fill.clone(), tell));
            self.fills.push(Filled {
                fill,
                told,
                waits: None,
                _task: AbortOnDropHandle::new(task),
            });
        }
    }

    /// Says what filling waits for; why it cannot be done, if it cannot.
    pub(super) fn look_at_fills(&mut self) -> Option<String> {
        let mut said = Vec::new();
        let mut hopeless = None;
        for filled in &mut self.fills {
            let step = &filled.fill.step;
            match &*filled.told.borrow() {
                Filling::In(_) | Filling::Full => filled.waits = None,
                Filling::Hopeless(why) => hopeless = Some(format!("step {step}: {why}")),
                Filling::Waits(why) => {
                    let (since, told) = filled.waits.get_or_insert((Instant::now(), false));
                    let trouble = self.reach.as_ref().and_then(Reach::trouble);
                    if let Some(trouble) = trouble.as_ref().filter(|trouble| trouble.forbidden) {
                        hopeless = Some(format!(
                            "step {step}: its items cannot be loaded: {}",
                            trouble.text
                        ));
                    } else if !*told && since.elapsed() >= STUCK {
                        *told = true;
                        let why = trouble.map_or_else(|| why.clone(), |trouble| trouble.text);
                        said.push(format!(
                            "step {step}: its items cannot be loaded now: {why}; trying again"
                        ));
                    }
                }
            }
        }
        for line in said {
            self.stage.say(&line);
        }
        hopeless
    }
}
