//! A folder to run `memq` in, and ways to wait for what it does.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

/// The program.
pub(crate) const MEMQ: &str = env!("CARGO_BIN_EXE_memq");
/// How long anything may take before a test gives up on it: generous, for slow machines.
const PATIENCE: Duration = Duration::from_secs(90);

/// Where temporary files lie, below a test's folder.
pub(crate) const TMP: &str = "tmp";

/// A folder of its own for each test.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
}

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A command under way; killed when the test is over.
pub(crate) struct Running {
    child: Child,
}

/// A run of this name whose only step has these lines.
pub(crate) fn spec(name: &str, step: &str) -> String {
    let head = format!(
        "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{name: {name}}}\nspec:\n  steps:\n  - name: only\n"
    );
    step.lines()
        .fold(head, |text, line| format!("{text}    {line}\n"))
}

/// A run of this name with these steps, as a list whose entries begin in the first column.
pub(crate) fn steps(name: &str, steps: &str) -> String {
    let head = format!(
        "apiVersion: memq.dev/v1alpha1\nkind: Run\nmetadata: {{name: {name}}}\nspec:\n  steps:\n"
    );
    steps
        .lines()
        .fold(head, |text, line| format!("{text}  {line}\n"))
}

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        fs::create_dir(dir.path().join(TMP)).expect("a folder");
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).expect("a file can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("a file can be read")
    }

    /// The names in a folder, in order.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).expect("a folder");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("an entry").file_name())
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The command, in this folder, with no settings from outside.
    pub(crate) fn memq(&self, args: &[&str]) -> Command {
        self.command(MEMQ, args)
    }

    /// Another command in memq's place.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEMQ_")) {
            command.env_remove(name);
        }
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("TMPDIR", self.path(TMP))
            .stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended::of(self.memq(args).output().expect("memq starts"))
    }

    /// Starts it.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running::start(self.memq(args))
    }

    /// The lines of a joblog.
    pub(crate) fn joblog(&self, name: &str) -> Vec<Value> {
        self.read(name)
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    /// The line of one item.
    pub(crate) fn outcome(&self, joblog: &str, body: &str) -> Value {
        let lines = self.joblog(joblog);
        let line = lines.into_iter().find(|line| line["body"] == body);
        line.unwrap_or_else(|| panic!("{body} is not in {joblog}"))
    }

    /// Waits for a file that a handler writes, and reads a process number from it.
    pub(crate) fn pid(&self, name: &str) -> Pid {
        let path = self.path(name);
        let read = || {
            fs::read_to_string(&path)
                .ok()?
                .trim()
                .parse()
                .ok()
                .and_then(Pid::from_raw)
        };
        wait_for(name, read)
    }
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Checks the exit code, showing what was said if it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "out: {}\nerr: {}", self.out, self.err);
        self
    }

    /// Checks that standard output has this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(
            self.out.contains(text),
            "no `{text}` in: {}\nerr: {}",
            self.out,
            self.err
        );
        self
    }

    /// Checks that standard error has this.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(
            self.err.contains(text),
            "no `{text}` in: {}\nout: {}",
            self.err,
            self.out
        );
        self
    }

    /// Checks that standard error lacks this.
    #[track_caller]
    pub(crate) fn never_complains(self, text: &str) -> Self {
        assert!(!self.err.contains(text), "`{text}` in: {}", self.err);
        self
    }

    /// The JSON of one step of a run of several.
    #[track_caller]
    pub(crate) fn step(&self, name: &str) -> Value {
        let json = self.json();
        let steps = json["steps"].as_array().expect("steps");
        let step = steps.iter().find(|step| step["name"] == name);
        step.unwrap_or_else(|| panic!("no step {name}: {json}"))
            .clone()
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

impl Running {
    /// Starts this, to be waited for.
    pub(crate) fn start(mut command: Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        Self {
            child: child.expect("memq starts"),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a process number")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let child = &mut self.child;
        let status = wait_for("the end of memq", || {
            child.try_wait().expect("it can be waited for")
        });
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        if let Some(mut pipe) = child.stdout.take() {
            pipe.read_to_end(&mut stdout).expect("output");
        }
        if let Some(mut pipe) = child.stderr.take() {
            pipe.read_to_end(&mut stderr).expect("output");
        }
        Ended::of(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// A server of its own, as a process that can be killed.
pub(crate) struct Server {
    pub(crate) running: Running,
    pub(crate) url: String,
}

impl Server {
    pub(crate) fn start(lab: &Lab) -> Self {
        Self::start_with(lab, "server", &[])
    }

    /// One of several: its directory and its log have this name.
    pub(crate) fn start_with(lab: &Lab, name: &str, more: &[&str]) -> Self {
        Self::start_on(lab, name, "127.0.0.1:0", more)
    }

    /// Kills it, and starts it on its port and its directory again.
    pub(crate) fn kill_and_start_again(&mut self, lab: &Lab, name: &str) {
        self.running.signal(Signal::KILL);
        let _killed = self.running.child.wait();
        let address = self.url.trim_start_matches("http://").to_owned();
        *self = Self::start_on(lab, name, &address, &[]);
    }

    fn start_on(lab: &Lab, name: &str, address: &str, more: &[&str]) -> Self {
        let mut command = lab.memq(&["server", "--listen", address, "--data-dir", name]);
        command.args(more);
        Self::of(lab, name, command)
    }

    /// Any command that serves, and logs it.
    pub(crate) fn of(lab: &Lab, name: &str, mut command: Command) -> Self {
        let log_name = format!("{name}.log");
        let log = fs::File::create(lab.path(&log_name)).expect("a file");
        let child = command.stderr(log).stdout(Stdio::null()).spawn();
        let running = Running {
            child: child.expect("memq starts"),
        };
        let url = wait_for("the server's address", || {
            let log = lab.read(&log_name);
            let rest = log.split_once("listening server.address=")?.1;
            let (address, _) = rest.split_once('\n')?;
            Some(format!("http://{}", address.trim()))
        });
        Self { running, url }
    }
}

/// Waits until there is something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a process is gone.
#[track_caller]
pub(crate) fn wait_gone(what: &str, pid: Pid) {
    wait_for(&format!("the end of {what}"), || {
        (!is_alive(pid)).then_some(())
    });
}

/// Whether a process runs. One that has ended and that nobody waits for does not.
fn is_alive(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let zombie =
        stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|s| s.starts_with(" Z")));
    test_kill_process(pid).is_ok() && !zombie
}

/// Kills a process that a handler told of.
pub(crate) fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).expect("it runs");
}

/// The examples of the repository.
pub(crate) fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name);
    path.to_str().expect("a path in UTF-8").to_owned()
}
