//! kuard's own command line: `memq --keygen-enable …`, or this program under kuard's name.
//!
//! So that a manifest written for kuard needs another image and no other change: it serves, and makes keys
//! beside that if told to. Knows flags; serving and keys are `queue_server`'s and `worker`'s.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use worker::KuardFlags;

/// The name under which this program takes no other command line.
const NAME: &str = "kuard";
/// kuard's flags begin with these, and none of ours do.
const PREFIXES: [&str; 6] = [
    "--keygen-",
    "--address",
    "--debug",
    "--tls-",
    "--liveness-",
    "--readiness-",
];
/// What of kuard is not here: flags of its own page and its own tests.
const ELSEWHERE: &str = "this is a flag of kuard that memq has nothing for: leave it out";

/// Serve queues and make RSA keys beside that, with kuard's flags: what kuard's manifests ask for.
///
/// Items are kept in memory, as there, unless MEMQ_STORAGE says otherwise.
#[derive(Debug, Parser)]
#[command(name = "memq", max_term_width = 100, disable_version_flag = true)]
struct Cli {
    /// The address to serve on
    #[arg(long, env = "MEMQ_LISTEN", value_name = "ADDR", default_value = ":8080", value_parser = address)]
    address: SocketAddr,
    /// Taken and ignored: it is for those who change kuard's page
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    debug: Option<String>,
    #[command(flatten)]
    keygen: KuardFlags,
    #[arg(long, hide = true, value_parser = elsewhere, allow_hyphen_values = true)]
    tls_address: Option<String>,
    #[arg(long, hide = true, value_parser = elsewhere, allow_hyphen_values = true)]
    tls_dir: Option<String>,
    #[arg(long, hide = true, value_parser = elsewhere, allow_hyphen_values = true)]
    debug_sitedata_dir: Option<String>,
    #[arg(long, hide = true, value_parser = elsewhere, allow_hyphen_values = true)]
    liveness_fail_next: Option<String>,
    #[arg(long, hide = true, value_parser = elsewhere, allow_hyphen_values = true)]
    readiness_fail_next: Option<String>,
}

/// The server's own settings, which come from the environment.
#[derive(Debug, Parser)]
struct Serve {
    #[command(flatten)]
    args: queue_server::Args,
}

/// Whether these words, this program's own name first, are kuard's.
pub(super) fn is_meant(words: &[OsString]) -> bool {
    let mut words = words.iter().map(OsString::as_os_str);
    let name = words.next().map(Path::new).and_then(Path::file_name);
    if name == Some(OsStr::new(NAME)) {
        return true;
    }
    let first = words.next().and_then(OsStr::to_str).unwrap_or_default();
    PREFIXES.iter().any(|prefix| first.starts_with(prefix))
}

/// Runs it to its end.
pub(super) fn run(words: &[OsString]) -> ExitCode {
    let (cli, serve) = match read(words) {
        Ok(read) => read,
        Err(error) => return super::refuse(&error),
    };
    match cli.keygen.enabled() {
        true => queue_server::run_beside(serve, cli.keygen.run()),
        false => queue_server::run(serve),
    }
}

fn read(words: &[OsString]) -> Result<(Cli, queue_server::Args), clap::Error> {
    let cli = Cli::try_parse_from(words)?;
    let mut serve = vec![
        OsString::from("memq"),
        "--listen".into(),
        cli.address.to_string().into(),
    ];
    if std::env::var_os("MEMQ_STORAGE").is_none() {
        serve.extend(["--storage".into(), "memory".into()]);
    }
    Ok((cli, Serve::try_parse_from(serve)?.args))
}

/// An address as Go writes it: without a host it is every address of the machine.
fn address(text: &str) -> Result<SocketAddr, String> {
    let any = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let address = match text.rsplit_once(':') {
        Some(("", port)) => port.parse().ok().map(|port| SocketAddr::new(any, port)),
        Some(("localhost", port)) => {
            let here = IpAddr::from(Ipv4Addr::LOCALHOST);
            port.parse().ok().map(|port| SocketAddr::new(here, port))
        }
        _ => text.parse().ok(),
    };
    address.ok_or_else(|| "write a port, :8080, or an IP address and a port, 0.0.0.0:8080".into())
}

fn elsewhere(_value: &str) -> Result<String, String> {
    Err(ELSEWHERE.into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn kuards_command_line_is_told_from_ours() {
        for line in [
            "/kuard",
            "kuard --help",
            "/memq --keygen-enable --keygen-num-to-gen 10",
            "memq --address=:9000 --keygen-enable=true",
            "memq --liveness-fail-next=3",
        ] {
            assert!(is_meant(&words(line)), "{line}");
        }
        for line in [
            "memq",
            "memq --help",
            "memq server --address :1",
            "memq worker --keygen-enable",
            "/opt/kuard/memq server",
        ] {
            assert!(!is_meant(&words(line)), "{line}");
        }
    }

    #[test]
    fn addresses_are_read_as_go_writes_them() {
        let read = |text| address(text).map(|address| address.to_string());
        assert_eq!(read(":8080").as_deref(), Ok("0.0.0.0:8080"));
        assert_eq!(read("localhost:80").as_deref(), Ok("127.0.0.1:80"));
        assert_eq!(read("[::]:8080").as_deref(), Ok("[::]:8080"));
        assert!(read("8080").is_err());
        assert!(read(":eighty").is_err());
    }

    #[test]
    fn what_memq_has_nothing_for_is_refused_by_name() {
        for line in ["kuard --tls-dir=/tls", "kuard --liveness-fail-next -1"] {
            let error = read(&words(line)).expect_err(line).to_string();
            let flag = line.split([' ', '=']).nth(1).expect("a flag");
            assert!(error.contains(flag) && error.contains(ELSEWHERE), "{error}");
        }
        assert!(read(&words("kuard --debug --keygen-enable")).is_ok());
        assert!(read(&words("kuard --no-such-flag")).is_err());
    }
}
