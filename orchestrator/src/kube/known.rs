//! Answers of the API server that are used for a moment, by namespace.
//!
//! However many runs want to know, one asks and the others wait for its answer. What is asked is not
//! known here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Answers, each good for a while.
pub(super) struct Known<T> {
    fresh: Duration,
    answers: Mutex<HashMap<String, Arc<Answer<T>>>>,
}

type Answer<T> = tokio::sync::Mutex<Option<(Instant, T)>>;

impl<T: Clone> Known<T> {
    /// None yet; each will be good for this long.
    pub(super) fn new(fresh: Duration) -> Self {
        Self {
            fresh,
            answers: Mutex::default(),
        }
    }

    /// The answer for a namespace, asked for if it is old.
    pub(super) async fn get(&self, namespace: &str, ask: impl AsyncFnOnce() -> T) -> T {
        let answer = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(namespace.to_owned()).or_default())
        };
        let mut answer = answer.lock().await;
        if let Some((at, known)) = &*answer
            && at.elapsed() < self.fresh
        {
            return known.clone();
        }
        let known = ask().await;
        *answer = Some((Instant::now(), known.clone()));
        known
    }
}
