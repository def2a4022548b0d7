//! `memq load`: a file or a pipe into a queue, each item once however often it is asked for.

mod input;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use queue_api::{Code, QueueName};
use queue_client::EnqueueOptions;

use self::input::Input;
use super::{Output, ServerArg, duration, shell};
use crate::feed::{FeedError, Pour, PourError, Poured, Source};
use crate::spec::{Mark, Marks, Pick};
use crate::view::{self, count, say};

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// The queue.
    queue: QueueName,
    /// A file, an item a line; - or nothing: standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Each line that is not empty is an item [default, but for names that end in .ndjson or .jsonl]
    #[arg(long, conflicts_with = "ndjson")]
    lines: bool,
    /// Each line is {"body": …} or {"body_base64": …}, with key, group, priority, delay_ms and ttl_ms if it likes.
    #[arg(long)]
    ndjson: bool,
    /// Where each item's unique key lies: . is the item itself, .id a field of an item that is a JSON object.
    #[arg(long, value_name = "PLACE")]
    key: Option<Pick>,
    /// Group of all items, or where each item's own lies, as .tenant.
    #[arg(long, value_name = "NAME-or-PLACE")]
    group: Option<Mark<String>>,
    /// Priority of all items, higher first, or where each item's own lies, as .priority.
    #[arg(long, value_name = "N-or-PLACE", allow_negative_numbers = true)]
    priority: Option<Mark<i16>>,
    /// Lend none of the items before this time has passed.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    delay: Option<Duration>,
    /// End each item as expired that nobody took within this time.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ttl: Option<Duration>,
    /// Make the queue if there is none.
    #[arg(long)]
    create: bool,
    /// Seal the queue afterwards: no more items will come, and workers leave when all are finished.
    #[arg(long)]
    seal: bool,
    /// Name this load [default: made of what is in the file; for a pipe, of chance]
    #[arg(long, value_name = "NAME", value_parser = load_id)]
    load_id: Option<String>,
    /// Wait for a server that is gone for this time.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    server_timeout: Duration,
    #[command(flatten)]
    server: ServerArg,
    /// How the answer is printed.
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t)]
    output: Output,
}

const EXAMPLES: &str = "\
A file of any size goes in by requests of about 1 MiB, each of which has a name that the queue remembers for
a day. So the same command again, after a failure or by mistake, puts in what is missing and nothing twice: it
answers \"0 new, 100 already loaded\". Another --load-id, or a file with other content, is another load. Of a
pipe nobody knows what comes: a load that broke off is gone on with by the --load-id that it names.

The queue remembers 100,000 requests: past them, about 100 GB or 100,000 items of over 1 MiB each, and a day
after the last try, the same command puts in again what is in already. Unique keys (--key) hold beyond that.

Examples:
  memq load thumbs photos.txt --create --seal
  find . -name '*.jpg' | memq load thumbs --create --seal
  memq load mails mails.jsonl --lines --key .id --group .customer
  memq load mails urgent.txt --priority 10 --ttl 1h";

/// A name of a load: part of a request's, which has room for a number after it.
fn load_id(text: &str) -> Result<String, String> {
    let fits = (1..=200).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| text.to_owned())
        .ok_or_else(|| "give 1 to 200 visible ASCII characters".into())
}

#[derive(serde::Serialize)]
struct Loaded<'a> {
    queue: &'a QueueName,
    load_id: &'a str,
    items: u64,
    new: u64,
    already: u64,
    duplicates: u64,
    sealed: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<u8> {
    let described = is_described(&args);
    let Args {
        queue: name,
        file,
        key,
        group,
        priority,
        delay,
        ttl,
        create,
        seal,
        load_id,
        server_timeout,
        server,
        output,
        ..
    } = args;
    let marks = Marks {
        key,
        group,
        priority,
        delay,
        ttl,
    };
    let url = server.url();
    let queue = server.client()?.queue(name.clone());
    // With the usual patience: a server that was never there is not waited for as one that is away.
    let missing = match queue.show().await {
        Ok(_) => false,
        Err(error) if error.code() == Some(Code::NoSuchQueue) => match create {
            // With the first items, once they are read and found good.
            true => true,
            false => {
                return Err(anyhow::Error::new(error).context(format!(
                    "cannot load into queue {name}; nothing went in; there is no such queue: the same command with \
                     `--create` makes it"
                )));
            }
        },
        Err(error) => {
            let error = anyhow::Error::new(error);
            return Err(error.context(format!("cannot load into queue {name} on {url}")));
        }
    };
    let queue = queue.with_give_up_after(server_timeout);
    let file = file.filter(|file| file.as_os_str() != "-");
    let way = way(described, &marks);
    let opening = tokio::task::spawn_blocking(move || input::open(file, load_id, &way));
    let input = opening.await.context("the reader of the file stopped")??;
    let Input {
        reader,
        shown,
        id,
        lasting,
        lines,
    } = input;
    let bar = bar(lines);
    let pour = Pour {
        source: Arc::new(Source::piped(reader, shown.clone(), described, marks)),
        choice: None,
        id: id.clone(),
        create,
    };
    let mut reached = Poured::default();
    let pouring = pour.into(&queue, |poured| {
        reached = poured;
        bar.set_position(poured.items);
        ControlFlow::Continue(())
    });
    let outcome = tokio::select! {
        outcome = pouring => outcome.map_err(anyhow::Error::from),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("stopped by Ctrl-C")),
    };
    bar.finish_and_clear();
    if let Err(error) = outcome {
        let way_on = way_on(&error, reached, &id, lasting);
        return Err(told(error).context(format!("cannot load {shown} into queue {name}; {way_on}")));
    }
    if missing && reached.items == 0 {
        // There was no first item to bring it along. Making a queue by itself is for admins, so this is an enqueue.
        let options = EnqueueOptions {
            create: true,
            ..EnqueueOptions::default()
        };
        let made = queue.enqueue_lines("", options).await;
        made.with_context(|| format!("cannot make queue {name}"))?;
    }
    if seal {
        let sealed = queue.seal().await;
        sealed.with_context(|| {
            format!(
                "all {} are in queue {name}, but sealing it failed: `memq queue seal {name} --server {}`",
                count(reached.items, "item"),
                shell::quoted(&url)
            )
        })?;
    }
    let loaded = Loaded {
        queue: &name,
        load_id: &id,
        items: reached.items,
        new: reached.new,
        already: reached.already,
        duplicates: reached.duplicates,
        sealed: seal,
    };
    output.answer(&loaded, || {
        let sealed = if seal { ", sealed" } else { "" };
        format!("{} into queue {name}{sealed}", sum(reached))
    })?;
    if reached.new == 0 && reached.already > 0 && lasting {
        say(
            "the queue had this load already; to put it in once more, give it a name: --load-id NAME",
        );
    }
    Ok(0)
}

fn is_described(args: &Args) -> bool {
    let by_name = || {
        let suffix = args.file.as_deref().and_then(Path::extension);
        suffix.is_some_and(|suffix| suffix == "ndjson" || suffix == "jsonl")
    };
    args.ndjson || (!args.lines && by_name())
}

/// How lines become items, in words that stay the same: they are part of the load's name.
fn way(described: bool, marks: &Marks) -> String {
    let form = if described { "ndjson" } else { "lines" };
    let place = |pick: &Pick| pick.to_string();
    let group = match &marks.group {
        Some(Mark::Of(pick)) => Some(place(pick)),
        _ => None,
    };
    let priority = match &marks.priority {
        Some(Mark::Of(pick)) => Some(place(pick)),
        _ => None,
    };
    let key = marks.key.as_ref().map(place);
    let same = marks.same();
    let same = (same.group, same.priority, same.delay_ms, same.ttl_ms);
    serde_json::json!([form, key, group, priority, same]).to_string()
}

fn bar(lines: Option<u64>) -> ProgressBar {
    let bar = view::bar(lines);
    let form = match lines {
        Some(_) => "{human_pos} of {human_len} items, {per_sec}, {eta} left",
        None => "{human_pos} items, {per_sec}",
    };
    bar.set_style(
        ProgressStyle::with_template(form).unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar
}

/// What went in, in words.
fn sum(poured: Poured) -> String {
    let Poured {
        items,
        new,
        already,
        duplicates,
        ..
    } = poured;
    let mut text = match already {
        0 if duplicates == 0 => return count(items, "item"),
        0 => format!("{new} new"),
        already => format!("{new} new, {already} already loaded"),
    };
    if duplicates > 0 {
        text.push_str(&format!(
            ", {} of a key that is taken",
            count(duplicates, "duplicate")
        ));
    }
    text
}

/// How far it came, and how to go on; `id` names the load, and the same command makes that name again if it is
/// `lasting`.
fn way_on(error: &anyhow::Error, reached: Poured, id: &str, lasting: bool) -> String {
    let mut text = match reached.items {
        0 => "nothing went in".to_owned(),
        _ => format!("{} went in (to line {})", sum(reached), reached.line),
    };
    let goes_on = match lasting {
        true => "the same command goes on where this one stopped".to_owned(),
        false => format!("to go on give it all of the same input again, with `--load-id {id}`"),
    };
    let next = match error.downcast_ref::<PourError>() {
        // Another line makes another file, which has another name unless it is given this one.
        Some(PourError::Read(FeedError::Item { .. } | FeedError::TooLong { .. })) => {
            match reached.items {
                0 => "mend that line, and give the same command again".to_owned(),
                _ => format!(
                    "mend that line and nothing before it, and give all of it again with `--load-id {id}`: that goes \
                     on where this one stopped"
                ),
            }
        }
        Some(PourError::Send { source, .. }) => match source.code() {
            Some(Code::NoSuchQueue) => {
                "there is no such queue: the same command with `--create` makes it".to_owned()
            }
            Some(Code::IdempotencyMismatch) => {
                "under this --load-id the queue was given something else: give another".to_owned()
            }
            Some(Code::QueueSealed) => format!("once it is open again: {goes_on}"),
            Some(Code::BodyTooLarge) => {
                format!("once the queue takes items as large (--max-body-bytes): {goes_on}")
            }
            _ if source.is_refusal() => format!("with a token that allows it: {goes_on}"),
            _ if source.is_transient() => goes_on,
            // The same again would be refused again.
            _ => return text,
        },
        _ => goes_on,
    };
    text.push_str(&format!("; {next}"));
    text
}

/// The error as the command line tells it: what the server said, which names the queue itself.
fn told(error: anyhow::Error) -> anyhow::Error {
    match error.downcast::<PourError>() {
        Ok(PourError::Send { source, .. }) => source.into(),
        Ok(other) => other.into(),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_name_of_a_load_is_the_same_in_every_memq() {
        let marks = Marks {
            key: Some(".id".parse().expect("a place")),
            group: Some("g\"1".parse().expect("a group")),
            priority: Some(".p".parse().expect("a place")),
            ttl: Some(Duration::from_secs(1)),
            ..Marks::default()
        };
        let way = way(true, &marks);
        assert_eq!(way, r#"["ndjson",".id",null,".p",["g\"1",null,null,1000]]"#);
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(b"{\"body\":1}\n")
            .expect("it can be written");
        let opened = input::open(Some(file.path().to_owned()), None, &way).expect("a name");
        assert_eq!(opened.id, "9793b22107451a141049f9ddb0927bd6");
    }

    #[test]
    fn what_went_in_is_told_in_as_few_words_as_it_takes() {
        let poured = |new, already, duplicates| Poured {
            items: new + already + duplicates,
            new,
            already,
            duplicates,
            line: 0,
        };
        assert_eq!(sum(poured(3, 0, 0)), "3 items");
        assert_eq!(sum(poured(0, 100, 0)), "0 new, 100 already loaded");
        assert_eq!(
            sum(poured(1, 0, 1)),
            "1 new, 1 duplicate of a key that is taken"
        );
    }
}
