//! What a command sees of its item, and what its answer means.

use std::time::Duration;

use queue_api::limits;

use crate::bench::{Bench, Worker, gone, noted_pid};

/// An item as large as a queue takes by default.
const LARGEST: usize = 1024 * 1024;

#[tokio::test]
async fn a_command_finds_its_item_in_each_place() {
    let bench = Bench::with("{}", &["an item; $(with) 'signs' é"]).await;
    let script = r#"
        test "$(cat)" = "$1" && test "$MEMQ_ITEM" = "$1" && test "$(cat "$MEMQ_ITEM_FILE")" = "$1" &&
        echo "$MEMQ_ITEM_ID $MEMQ_ATTEMPT $MEMQ_QUEUE $MEMQ_RUN $MEMQ_STEP $MEMQ_SERVER $2 $3"
    "#;
    let args = [
        "--run", "r1", "--step", "s1", "--", "sh", "-c", script, "sh", "{}", "x{}", "{",
    ];
    let mut worker = bench.worker().args(args).start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let outcome = bench.done().await;
    let expected = format!("{} 1 q r1 s1 {} x{{}} {{", outcome.id, bench.url);
    assert_eq!(outcome.result, Some(expected));
    assert!(
        worker.log().contains(&format!("item.id={}", outcome.id)),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn an_item_too_large_for_the_environment_is_in_the_file_and_on_standard_input() {
    // One byte more than the kernel takes with the variable's name and its end.
    let most = 128 * 1024 - "MEMQ_ITEM=".len() - 1;
    let script = r#"printf '%s ' "${#MEMQ_ITEM}" ; wc -c <"$MEMQ_ITEM_FILE" | tr -d '\n'; printf ' '; wc -c"#;
    for (length, in_environment) in [(most, most), (most + 1, 0), (128 * 1024, 0), (LARGEST, 0)] {
        let bench = Bench::new("{}").await;
        bench.add(&vec![b'x'; length]).await;
        let mut worker = bench
            .worker()
            .env("MEMQ_ITEM", "of an outer worker")
            .sh(script)
            .start();
        assert_eq!(worker.exit().await, 0, "{}", worker.log());
        let expected = format!("{in_environment} {length} {length}");
        assert_eq!(bench.done().await.result, Some(expected));
    }
}

#[tokio::test]
async fn an_item_with_a_nul_is_not_in_the_environment() {
    let bench = Bench::new("{}").await;
    bench.add(b"a\0b\xff").await;
    bench
        .run_sh(r#"echo "${MEMQ_ITEM-unset} $(od -An -tx1)""#)
        .await;
    assert_eq!(
        bench.done().await.result.as_deref(),
        Some("unset  61 00 62 ff")
    );
}

#[tokio::test]
async fn an_item_that_is_no_argument_is_dead_where_it_has_to_be_one() {
    let bench = Bench::new("{}").await;
    bench.add(&vec![b'x'; 128 * 1024]).await;
    let mut worker = bench.worker().args(["--", "echo", "{}"]).start();
    assert_eq!(worker.exit().await, 0);
    let dead = bench.dead().await;
    assert!(dead.error.unwrap().contains("MEMQ_ITEM_FILE"));
    assert_eq!(dead.attempts, 1);
}

#[tokio::test]
async fn a_command_that_does_not_read_its_item_does_not_fail() {
    let bench = Bench::new("{}").await;
    for _ in 0..5 {
        bench.add(&vec![b'x'; LARGEST]).await;
    }
    bench.run_sh("exec 0<&-; true").await;
    assert!(
        bench
            .outcomes()
            .await
            .iter()
            .all(|outcome| outcome.attempts == 1)
    );
}

#[tokio::test]
async fn a_command_that_talks_while_it_reads_does_not_hang() {
    let bench = Bench::new("{}").await;
    bench.add(&vec![b'x'; LARGEST]).await;
    let mut worker = bench
        .worker()
        .env("MEMQ_LOG", "warn")
        .sh("tee /dev/stderr; echo; echo end")
        .start();
    assert_eq!(worker.exit().await, 0);
    assert_eq!(bench.done().await.result.as_deref(), Some("end"));
}

#[tokio::test]
async fn the_result_is_the_file_or_else_the_last_line() {
    for (script, result) in [
        (
            r#"printf 'from the file' >"$MEMQ_RESULT"; echo a line"#,
            Some("from the file"),
        ),
        ("echo one; echo two; echo", Some("two")),
        ("printf 'no end of line'", Some("no end of line")),
        ("echo not this >&2", None),
        (r#": >"$MEMQ_RESULT"; echo a line"#, None),
    ] {
        let bench = Bench::with("{}", &["1"]).await;
        bench.run_sh(script).await;
        assert_eq!(bench.done().await.result.as_deref(), result, "{script}");
    }
}

#[tokio::test]
async fn a_result_over_the_limit_is_an_error_and_not_half_a_result() {
    let write = |bytes: usize| format!(r#"head -c {bytes} /dev/zero | tr '\0' x >"$MEMQ_RESULT""#);
    let most = 64 * 1024;
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    bench.run_sh(&write(most)).await;
    assert_eq!(bench.done().await.result.unwrap().len(), most);

    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    bench.run_sh(&write(most + 1)).await;
    assert!(
        bench
            .dead()
            .await
            .error
            .unwrap()
            .contains("over the limit of 65536")
    );

    // A last line is a result as well.
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let quiet = bench.worker().env("MEMQ_LOG", "warn");
    let script = r"head -c 70000 /dev/zero | tr '\0' x";
    assert_eq!(quiet.sh(script).start().exit().await, 0);
    let error = bench.dead().await.error.unwrap();
    assert!(error.contains("over the limit of 65536"), "{}", error.len());

    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    bench.run_sh(r#"mkfifo "$MEMQ_RESULT""#).await;
    let error = bench.dead().await.error.unwrap();
    assert!(error.contains("not a regular file"), "{error}");

    // A queue that takes less says so, and the item fails by it.
    let bench = Bench::with(r#"{"max_attempts":1,"max_result_bytes":10}"#, &["1"]).await;
    bench.run_sh("echo 12345678901").await;
    let error = bench.dead().await.error.unwrap();
    assert_eq!(
        error,
        "the server refused the result of 11 bytes: body_too_large\n--- stdout\n12345678901"
    );
}

#[tokio::test]
async fn exit_codes_say_what_becomes_of_the_item() {
    let bench = Bench::with("{}", &["1"]).await;
    bench.run_sh("echo never >&2; exit 65").await;
    let dead = bench.dead().await;
    assert_eq!((dead.attempts, dead.exit_code), (1, Some(65)));
    assert_eq!(
        dead.error.as_deref(),
        Some("exited with code 65\n--- stderr\nnever")
    );

    let bench = Bench::with("{}", &["1"]).await;
    let mut worker = bench
        .worker()
        .args(["--dead-on", "3,4"])
        .sh("exit 4")
        .start();
    assert_eq!(worker.exit().await, 0);
    assert_eq!(bench.dead().await.exit_code, Some(4));

    let bench = Bench::with(r#"{"max_attempts":2}"#, &["1"]).await;
    bench.run_sh("kill -9 $$").await;
    let dead = bench.dead().await;
    assert_eq!((dead.attempts, dead.exit_code), (2, None));
    assert_eq!(dead.error.as_deref(), Some("was killed by signal 9"));

    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "echo x >>{0}; test $(wc -l <{0}) -ge 3 || exit 75",
        file.path().display()
    );
    bench.run_sh(&script).await;
    assert_eq!(
        bench.done().await.attempts,
        1,
        "giving back spends no attempt"
    );
    assert_eq!(bench.queue.show().await.unwrap().totals.released, 2);
}

#[tokio::test]
async fn output_is_kept_at_both_ends_and_never_too_much() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let script = "echo first; seq 100000; echo last; exit 1";
    let mut worker = bench.worker().env("MEMQ_LOG", "warn").sh(script).start();
    assert_eq!(worker.exit().await, 0);
    let error = bench.dead().await.error.unwrap();
    assert!(error.len() <= limits::MAX_ERROR_BYTES, "{}", error.len());
    assert!(
        error.starts_with("exited with code 1\n--- stdout\nfirst\n1\n2\n"),
        "{}",
        &error[..80]
    );
    assert!(
        error.ends_with("\n99999\n100000\nlast"),
        "{}",
        &error[error.len() - 80..]
    );
    assert!(error.contains("bytes left out]"));
}

#[tokio::test]
async fn the_time_limit_ends_the_whole_group() {
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    // A grandchild that ignores the request to end.
    let script = format!(
        "trap 'echo cleaning up; exit 9' TERM; (trap '' TERM; sleep 1000) & echo $! >{}; echo begun; wait",
        note.display()
    );
    let mut worker = bench
        .worker()
        .args(["--item-timeout", "400ms"])
        .sh(&script)
        .start();
    let grandchild = noted_pid(&note).await;
    assert_eq!(worker.exit().await, 0);
    gone(grandchild).await;
    let dead = bench.dead().await;
    let error = "stopped at its time limit of 0.4 s\n--- stdout\nbegun\ncleaning up";
    assert_eq!((dead.error.as_deref(), dead.exit_code), (Some(error), None));
}

#[tokio::test]
async fn something_left_behind_does_not_hold_the_worker_up() {
    let bench = Bench::with("{}", &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let note = dir.path().join("pid");
    let script = format!("sleep 1000 & echo $! >{}; echo result", note.display());
    let worker = bench.run_sh(&script).await;
    let left = noted_pid(&note).await;
    rustix::process::kill_process(left, rustix::process::Signal::KILL).unwrap();
    assert_eq!(bench.done().await.result.as_deref(), Some("result"));
    assert!(
        worker.log().contains("holds its output open"),
        "{}",
        worker.log()
    );
}

#[tokio::test]
async fn the_files_of_items_are_gone_afterwards() {
    let bench = Bench::with("{}", &["1", "2", "3"]).await;
    let dir = tempfile::tempdir().unwrap();
    let script = r#"echo "$MEMQ_ITEM_FILE" >"$MEMQ_RESULT""#;
    let tmp = dir.path().to_str().unwrap();
    let mut worker = bench.worker().env("TMPDIR", tmp).sh(script).start();
    assert_eq!(worker.exit().await, 0);
    for outcome in bench.outcomes().await {
        assert!(outcome.result.unwrap().starts_with(tmp));
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn where_nothing_can_be_written_to_disk_the_files_of_items_lie_in_memory() {
    let bench = Bench::with("{}", &["1"]).await;
    let unshare = ["--user", "--map-root-user", "--mount"];
    let read_only = "mount -t tmpfs -o ro none /tmp";
    let allowed = std::process::Command::new("unshare")
        .args(unshare)
        .args(["sh", "-c", &format!("{read_only} && test -w /dev/shm")])
        .output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("passed over: this machine does not let one mount over /tmp");
        return;
    }
    let program = env!("CARGO_BIN_EXE_memq-worker");
    let (folder, name) = program.rsplit_once('/').unwrap();
    // From within its folder: what was built below /tmp cannot be seen by its path any more.
    let script = format!("unset TMPDIR; cd '{folder}' && {read_only} && exec ./{name} \"$@\"");
    let mut worker = Worker::of("unshare")
        .args(unshare)
        .args(["sh", "-c", &script, "sh"])
        .args(["--server", &bench.url, "--queue", "q"])
        .sh(r#"echo "$MEMQ_ITEM_FILE" >"$MEMQ_RESULT""#)
        .start();
    assert_eq!(worker.exit().await, 0, "{}", worker.log());
    let result = bench.done().await.result.unwrap();
    assert!(result.starts_with("/dev/shm/memq-worker-"), "{result}");
    assert!(worker.log().contains("the files of items lie in memory"));
}

#[tokio::test]
async fn a_command_that_cannot_run_ends_the_worker_before_it_takes_an_item() {
    let bench = Bench::with("{}", &["1"]).await;
    for (command, complaint) in [
        (
            "no-such-command-9",
            "`no-such-command-9` is not found in PATH",
        ),
        ("/etc/passwd", "`/etc/passwd` is not an executable file"),
        ("./no/such/file", "`./no/such/file` is not there"),
    ] {
        let mut worker = bench.worker().args(["--", command]).start();
        assert_eq!(worker.exit().await, 78, "{command}");
        assert!(worker.log().contains(complaint), "{}", worker.log());
    }
    assert_eq!(bench.queue.show().await.unwrap().totals.leased, 0);
}

#[tokio::test]
async fn a_command_whose_interpreter_is_missing_gives_its_item_back_and_ends_the_worker() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::with(r#"{"max_attempts":1}"#, &["1"]).await;
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    std::fs::write(&script, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut worker = bench
        .worker()
        .args(["--", script.to_str().unwrap()])
        .start();
    assert_eq!(worker.exit().await, 78, "{}", worker.log());
    let queue = bench.queue.show().await.unwrap();
    assert_eq!((queue.counts.ready, queue.totals.released), (1, 1));
}

#[tokio::test]
async fn a_command_line_that_makes_no_sense_is_64() {
    for args in [
        &["--no-such-flag"][..],
        &["--concurrency", "0"],
        &["--server", "http://127.0.0.1:1", "--queue", "q"],
        &["--server", "http://127.0.0.1:1", "--", "true"],
        &[
            "--server",
            "http://127.0.0.1:1",
            "--queue",
            "-q",
            "--",
            "true",
        ],
        &[
            "--server",
            "http://127.0.0.1:1",
            "--queue",
            "q",
            "--dead-on",
            "75",
            "--",
            "true",
        ],
        &[
            "--server",
            "http://127.0.0.1:1",
            "--queue",
            "q",
            "--builtin",
            "echo",
            "--",
            "true",
        ],
        &[
            "--server",
            "http://127.0.0.1:1",
            "--queue",
            "q",
            "--grace",
            "soon",
            "--",
            "true",
        ],
        &["--server", "not-a-url", "--queue", "q", "--", "true"],
    ] {
        let mut worker = Worker::bare().args(args.iter().copied()).start();
        assert_eq!(worker.exit().await, 64, "{args:?}\n{}", worker.log());
        assert!(
            !worker.log().is_empty(),
            "{args:?} is refused without a word"
        );
    }
    let mut help = Worker::bare().args(["--help"]).start();
    assert_eq!(help.exit().await, 0);
}

#[tokio::test]
async fn an_item_is_renewed_for_as_long_as_it_takes() {
    let bench = Bench::with(r#"{"lease_ms":1000}"#, &["1"]).await;
    bench.run_sh("sleep 3; echo done").await;
    assert_eq!(bench.done().await.attempts, 1);
    assert_eq!(bench.queue.show().await.unwrap().totals.lease_expired, 0);
}

#[tokio::test]
async fn logs_as_json_are_json_and_name_the_item() {
    let bench = Bench::with("{}", &["1"]).await;
    let mut worker = bench
        .worker()
        .args(["--log-format", "json"])
        .sh("echo said")
        .start();
    assert_eq!(worker.exit().await, 0);
    let log = worker.log();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let said = lines
        .iter()
        .find(|line| line["message"] == "said")
        .expect("the line");
    assert_eq!(said["item.id"], bench.done().await.id.to_string());
    assert_eq!(said["handler.stream"], "stdout");
}

#[tokio::test]
async fn a_worker_without_a_name_is_called_after_its_host_and_process() {
    let bench = Bench::with("{}", &["1"]).await;
    let worker = bench.worker().sh("true").start();
    let suffix = format!("-{}", worker.pid().as_raw_nonzero());
    let mut worker = worker;
    assert_eq!(worker.exit().await, 0);
    let name = bench.done().await.worker.unwrap();
    assert!(
        name.len() > suffix.len() && name.ends_with(&suffix),
        "{name}"
    );
    tokio::time::timeout(Duration::from_secs(1), worker.exit())
        .await
        .unwrap();
}

#[tokio::test]
async fn an_item_that_does_not_reach_its_handler_is_told_of() {
    let bench = Bench::with("{}", &[&"x".repeat(200_000)]).await;
    let mut worker = bench.worker().sh(r#"test -z "$MEMQ_ITEM" "{}""#).start();
    worker.exit().await;
    worker.says("inside an argument is passed as it is").await;
    worker.says("does not fit into MEMQ_ITEM").await;
}
