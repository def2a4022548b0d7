//! One command for one item: start it, feed it, listen to it, end it, judge it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitStatus;

use queue_client::Lease;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use super::PerItem;
use super::files::Files;
use crate::child::{Group, Said, headline, no_room, not_started};
use crate::handler::Cut;
use crate::verdict::{Failure, Verdict, ack_with};

/// Longest text the kernel takes as one argument or one variable, with its end.
const MAX_STRING: usize = 128 * 1024 - 1;
/// Exit code of a command that gives its item back.
const GIVE_BACK: i32 = 75;

impl PerItem {
    /// Runs the command for an item, to its end or until it is cut short.
    pub(crate) async fn handle(
        &self,
        lease: &Lease,
        cut: impl Future<Output = Cut>,
        kill: &CancellationToken,
    ) -> Verdict {
        let body = &lease.body.0;
        if self.takes_item_as_argument() && !fits(body, "") {
            return Verdict::Dead(Failure::new(format!(
                "the item of {} bytes does not fit into an argument: read it from standard input or from $MEMQ_ITEM_FILE",
                body.len()
            )));
        }
        let files = match Files::write(&self.files, body).await {
            Ok(files) => files,
            Err(error) => return no_room(&format!("cannot write the item's file: {error}")),
        };
        let mut child = match self.command(lease, &files).spawn() {
            Ok(child) => child,
            Err(error) => return not_started(&self.program, &error),
        };
        let mut said = Said::about(Some(lease));
        let group = Group::of(&child);
        let ended = {
            let feed = feed(child.stdin.take(), body);
            let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
            let listen = said.listen(&mut child, stdout, stderr, feed);
            tokio::pin!(listen);
            tokio::select! {
                biased;
                status = &mut listen => {
                    group.leave();
                    Ok(status)
                }
                cut = cut => {
                    // It is listened to until its end: one that cleans up may say so.
                    group.end(listen, kill).await;
                    Err(cut)
                }
            }
        };
        match ended {
            Ok(Ok(status)) => self.judge(status, said, &files),
            Ok(Err(error)) => {
                Verdict::nack(Failure::new(format!("lost sight of the command: {error}")))
            }
            Err(cut) => cut.verdict(said.text()),
        }
    }

    fn command(&self, lease: &Lease, files: &Files) -> Command {
        let body = &lease.body.0;
        let mut command = self.program.command(self.arguments_for(body));
        command
            .env("MEMQ_ITEM_FILE", &files.item)
            .env("MEMQ_RESULT", &files.result)
            .env("MEMQ_ITEM_ID", lease.id.to_string())
            .env("MEMQ_ATTEMPT", lease.attempt.to_string())
            .env("MEMQ_PRIORITY", lease.priority.to_string());
        // Never those of a worker around this one.
        for (name, value) in [
            ("MEMQ_ITEM_KEY", &lease.key),
            ("MEMQ_ITEM_GROUP", &lease.group),
            ("TRACEPARENT", &lease.traceparent),
            ("TRACESTATE", &lease.tracestate),
        ] {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        if fits(body, "MEMQ_ITEM=") {
            command.env("MEMQ_ITEM", OsStr::from_bytes(body));
        } else {
            tracing::warn!(
                item.id = %lease.id,
                trace.id = lease.trace_id(),
                item.bytes = body.len(),
                "the item does not fit into MEMQ_ITEM: read standard input or $MEMQ_ITEM_FILE"
            );
            command.env_remove("MEMQ_ITEM");
        }
        command
    }

    fn judge(&self, status: ExitStatus, mut said: Said, files: &Files) -> Verdict {
        if status.success() {
            let verdict = match files.result() {
                Ok(Some(result)) => ack_with(&result),
                Ok(None) => ack_with(said.last_line().unwrap_or_default()).or_no_result(),
                Err(error) => Verdict::nack(Failure {
                    error: format!("cannot read its result from $MEMQ_RESULT: {error}"),
                    exit_code: Some(0),
                }),
            };
            return verdict.with_output(said.text());
        }
        let failure = Failure {
            exit_code: status.code(),
            ..Failure::new(headline(status))
        }
        .with_output(&said.text());
        match status.code() {
            Some(code) if self.dead_on.contains(&code) => Verdict::Dead(failure),
            Some(GIVE_BACK) => Verdict::Release(failure, None),
            _ => Verdict::nack(failure),
        }
    }
}

/// Whether the kernel takes this as one string behind that prefix.
fn fits(body: &[u8], prefix: &str) -> bool {
    prefix.len() + body.len() <= MAX_STRING && !body.contains(&0)
}

/// Writes the item to the command's standard input. A command that does not read it is no failure.
async fn feed(stdin: Option<ChildStdin>, body: &[u8]) {
    if let Some(mut stdin) = stdin
        && let Err(error) = stdin.write_all(body).await
    {
        tracing::trace!(error.message = %error, "the command did not read its item");
    }
}
