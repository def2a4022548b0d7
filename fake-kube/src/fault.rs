//! What goes wrong with requests, as a test says it.

/// Something that goes wrong with requests of one kind.
#[derive(Debug, Clone)]
pub struct Fault {
    verb: String,
    resource: String,
    times: usize,
    from: Option<String>,
    pub(super) harm: Harm,
}

/// What goes wrong.
#[derive(Debug, Clone)]
pub(super) enum Harm {
    /// It is answered with this code, reason and message, and nothing is done.
    Answer(u16, String, String),
    /// Nothing is done and nothing answered.
    LoseRequest,
    /// It is done, and the answer is lost.
    LoseAnswer,
    /// Nothing is done, and nobody ever answers.
    Silence,
    /// It is done, and nobody ever answers.
    SilenceAfter,
}

impl Fault {
    /// The next request of this verb to this resource fails with this code and reason.
    pub fn answer(verb: &str, resource: &str, code: u16, reason: &str) -> Self {
        let message = format!("a test says {reason}");
        Self::new(
            verb,
            resource,
            Harm::Answer(code, reason.to_owned(), message),
        )
    }

    /// The next request is cut off before anything is done.
    pub fn lose_request(verb: &str, resource: &str) -> Self {
        Self::new(verb, resource, Harm::LoseRequest)
    }

    /// The next request is done, and its answer cut off.
    pub fn lose_answer(verb: &str, resource: &str) -> Self {
        Self::new(verb, resource, Harm::LoseAnswer)
    }

    /// Requests of this verb to this resource are never answered, and nothing is done; `*` is any.
    pub fn silence(verb: &str, resource: &str) -> Self {
        Self::new(verb, resource, Harm::Silence).times(usize::MAX)
    }

    /// Requests of this verb to this resource are done and never answered.
    pub fn silence_after(verb: &str, resource: &str) -> Self {
        Self::new(verb, resource, Harm::SilenceAfter).times(usize::MAX)
    }

    /// Only those of the client that was made by this name.
    pub fn from(self, client: &str) -> Self {
        Self {
            from: Some(client.to_owned()),
            ..self
        }
    }

    fn new(verb: &str, resource: &str, harm: Harm) -> Self {
        Self {
            verb: verb.to_owned(),
            resource: resource.to_owned(),
            times: 1,
            from: None,
            harm,
        }
    }

    /// So many of them in place of one.
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Says this in place of a text of its own.
    pub fn saying(mut self, text: &str) -> Self {
        if let Harm::Answer(_, _, message) = &mut self.harm {
            text.clone_into(message);
        }
        self
    }

    /// Whether it strikes this request; it then has one time less.
    pub(super) fn strikes(&mut self, verb: &str, resource: &str, by: &str) -> bool {
        let is = |wanted: &str, asked: &str| wanted == "*" || wanted == asked;
        let from = self.from.as_ref().is_none_or(|from| from == by);
        let strikes =
            self.times > 0 && from && is(&self.verb, verb) && is(&self.resource, resource);
        self.times -= usize::from(strikes);
        strikes
    }
}
