//! What an item is given besides its body: its key, its group, its priority and its times, the same for all items of a
//! source or taken out of each.
//!
//! It does not know where the items come from. What an item says of itself wins.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use queue_api::Options;

use super::cursor::{At, Fields};
use super::fault::Fault;
use super::node::Value;

/// What the items of a source are given.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Where the unique key of each lies.
    pub key: Option<Pick>,
    /// The group.
    pub group: Option<Mark<String>>,
    /// The priority.
    pub priority: Option<Mark<i16>>,
    /// How long none of them is lent.
    pub delay: Option<Duration>,
    /// How long each may wait to be lent.
    pub ttl: Option<Duration>,
}

/// One value for all items, or the place in each where its own lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark<T> {
    /// This.
    Same(T),
    /// What lies there.
    Of(Pick),
}

/// A place in an item: `.` is all of it, `.a.b` a field of the JSON object that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pick(Vec<String>);

/// What a place in an item looks like.
pub(crate) const PICK: &str = "`.` for the item itself, or `.NAME` for a field of an item that is a JSON object, as \
                               .id or .user.id";
/// Deepest field that a place may name: past it, it is a slip of the pen.
const MOST_DEEP: usize = 16;

impl FromStr for Pick {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wanted = || format!("give {PICK}");
        let path = text.strip_prefix('.').ok_or_else(wanted)?;
        if path.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let names: Vec<_> = path.split('.').map(str::to_owned).collect();
        if names.iter().any(String::is_empty) || names.len() > MOST_DEEP {
            return Err(wanted());
        }
        Ok(Self(names))
    }
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}", self.0.join("."))
    }
}

impl FromStr for Mark<String> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('.') {
            return text.parse().map(Self::Of);
        }
        queue_api::check_group(text).map_err(|error| error.to_string())?;
        Ok(Self::Same(text.to_owned()))
    }
}

impl FromStr for Mark<i16> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with('.') {
            return text.parse().map(Self::Of);
        }
        let wanted = |_| format!("give {PRIORITY}");
        text.parse().map(Self::Same).map_err(wanted)
    }
}

const PRIORITY: &str =
    "a whole number from -32768 to 32767, or the field of each item that holds it, as .priority";

impl Marks {
    /// Reads the fields of `items` that say it.
    pub(crate) fn read(fields: &Fields<'_>) -> Result<Self, Fault> {
        let wrong = |at: &At<'_>, why: String| at.fault("this cannot be used", why);
        let key = fields.get("key").map(|at| {
            at.text(PICK)?
                .parse()
                .map_err(|why| at.fault("a key that all items share would leave one of them", why))
        });
        let group = fields.get("group").map(|at| {
            let text = at.text("the name of a group, or a field of each item, as .tenant")?;
            text.parse().map_err(|why| wrong(at, why))
        });
        let priority = fields.get("priority").map(|at| match at.node().value {
            Value::Int(number) => i16::try_from(number)
                .map(Mark::Same)
                .map_err(|_| at.wrong(PRIORITY)),
            _ => at.text(PRIORITY)?.parse().map_err(|_| at.wrong(PRIORITY)),
        });
        Ok(Self {
            key: key.transpose()?,
            group: group.transpose()?,
            priority: priority.transpose()?,
            ..Self::default()
        })
    }

    /// Whether each item may be given something else.
    #[must_use]
    pub fn vary(&self) -> bool {
        let of_each =
            matches!(self.group, Some(Mark::Of(_))) || matches!(self.priority, Some(Mark::Of(_)));
        self.key.is_some() || of_each
    }

    /// What all items are given.
    #[must_use]
    pub fn same(&self) -> Options {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Options {
            delay_ms: self.delay.map(ms),
            priority: match self.priority {
                Some(Mark::Same(priority)) => Some(priority),
                _ => None,
            },
            key: None,
            group: match &self.group {
                Some(Mark::Same(group)) => Some(group.clone()),
                _ => None,
            },
            ttl_ms: self.ttl.map(ms),
        }
    }

    /// What this item is given; what it says of itself, in `own`, wins. An error says what it lacks.
    pub fn of(&self, body: &[u8], own: Options) -> Result<Options, String> {
        let same = self.same();
        let mut json = None;
        let mut picked = |pick: &Pick| pick.of(body, &mut json);
        let key = match (own.key, &self.key) {
            (None, Some(pick)) => Some(picked(pick)?),
            (own, _) => own,
        };
        let group = match (own.group, &self.group) {
            (None, Some(Mark::Of(pick))) => Some(picked(pick)?),
            (own, _) => own.or(same.group),
        };
        let priority = match (own.priority, &self.priority) {
            (None, Some(Mark::Of(pick))) => {
                let text = picked(pick)?;
                let number = text.parse();
                Some(number.map_err(|_| format!("has `{text}` as its priority, which is no whole number from -32768 to 32767"))?)
            }
            (own, _) => own.or(same.priority),
        };
        let options = Options {
            delay_ms: own.delay_ms.or(same.delay_ms),
            ttl_ms: own.ttl_ms.or(same.ttl_ms),
            priority,
            key,
            group,
        };
        options
            .check()
            .map_err(|error| format!("is refused: {error}"))?;
        Ok(options)
    }
}

impl Pick {
    /// What lies there, as text. The JSON of the item is read once, into `json`.
    fn of(&self, body: &[u8], json: &mut Option<serde_json::Value>) -> Result<String, String> {
        if self.0.is_empty() {
            let text = std::str::from_utf8(body);
            return text
                .map(str::to_owned)
                .map_err(|_| "is not text, and cannot be its own key or group".to_owned());
        }
        let whole = match json {
            Some(whole) => whole,
            None => json.insert(serde_json::from_slice(body).map_err(|_| {
                format!("is no JSON object, and `{self}` is to be taken out of it")
            })?),
        };
        let found = self
            .0
            .iter()
            .try_fold(&*whole, |value, name| value.get(name));
        match found {
            Some(serde_json::Value::String(text)) => Ok(text.clone()),
            // Two long numbers may be one when they are read with fewer digits.
            Some(serde_json::Value::Number(number)) if number.is_f64() => Err(format!(
                "has a number at `{self}` that is no whole number of 64 bits; as a text it can be used"
            )),
            Some(serde_json::Value::Number(number)) => Ok(number.to_string()),
            Some(serde_json::Value::Bool(value)) => Ok(value.to_string()),
            Some(serde_json::Value::Null) | None => Err(format!("has no `{self}`")),
            Some(_) => Err(format!("has no text or number at `{self}`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(key: Option<&str>, group: Option<&str>, priority: Option<&str>) -> Marks {
        Marks {
            key: key.map(|text| text.parse().expect("a place")),
            group: group.map(|text| text.parse().expect("a group")),
            priority: priority.map(|text| text.parse().expect("a priority")),
            ..Marks::default()
        }
    }

    #[test]
    fn a_mark_is_taken_out_of_the_item_or_is_the_same_for_all() {
        let body = br#"{"id": 7, "user": {"name": "ann"}, "urgent": 5}"#;
        let marks = marks(Some(".id"), Some(".user.name"), Some(".urgent"));
        let options = marks
            .of(body, Options::default())
            .expect("it has all three");
        assert_eq!(options.key.as_deref(), Some("7"));
        assert_eq!(options.group.as_deref(), Some("ann"));
        assert_eq!(options.priority, Some(5));
        let fixed = self::marks(Some("."), Some("nightly"), Some("-3"));
        let options = fixed.of(b"plain", Options::default()).expect("it is text");
        assert_eq!(options.key.as_deref(), Some("plain"));
        assert_eq!(options.group.as_deref(), Some("nightly"));
        assert_eq!(options.priority, Some(-3));
    }

    #[test]
    fn what_an_item_says_of_itself_wins() {
        let own = Options {
            key: Some("mine".into()),
            group: Some("ours".into()),
            priority: Some(0),
            delay_ms: Some(1),
            ttl_ms: None,
        };
        let mut marks = marks(Some(".id"), Some(".tenant"), Some("9"));
        marks.ttl = Some(Duration::from_secs(1));
        let options = marks
            .of(b"no JSON", own.clone())
            .expect("nothing is looked for");
        assert_eq!(
            options,
            Options {
                ttl_ms: Some(1_000),
                ..own
            }
        );
    }

    #[test]
    fn an_item_without_what_it_must_have_is_told_apart() {
        for (marks, body, said) in [
            (marks(Some(".id"), None, None), "{}", "has no `.id`"),
            (marks(Some(".id"), None, None), "x", "no JSON object"),
            (
                marks(Some(".a"), None, None),
                r#"{"a":[]}"#,
                "no text or number at `.a`",
            ),
            (
                marks(None, None, Some(".p")),
                r#"{"p":"high"}"#,
                "`high` as its priority",
            ),
            (
                marks(Some("."), None, None),
                "a\tb",
                "option `key` holds a control character",
            ),
        ] {
            let why = marks
                .of(body.as_bytes(), Options::default())
                .expect_err(said);
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn a_place_begins_with_a_dot_and_names_each_field() {
        for bad in ["id", "", "..", ".a.", ".a..b"] {
            assert!(bad.parse::<Pick>().is_err(), "{bad}");
        }
        for good in [".", ".a", ".a.b c.d"] {
            assert_eq!(good.parse::<Pick>().expect(good).to_string(), good);
        }
    }
}
