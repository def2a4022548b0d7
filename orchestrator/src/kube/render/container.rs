//! The container that does a step's work: what it starts, what it is told, how it says that it lives.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    ConfigMapKeySelector, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
    ObjectFieldSelector, Probe, SecretKeySelector,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{
    HEALTH_PORT, Part, Place, RenderError, WORKER, Wanted, profile, resources, script, volumes,
};
use crate::spec::{EnvValue, Handler, Pool, Work};

/// How long items that run may go on when their pod is to end; the worker's own default.
pub(super) const GRACE: Duration = Duration::from_secs(25);
/// Our program in an image that is not ours.
const PROGRAM: &str = "/memq-program/memq";
/// Where Kubernetes looks for a container's last message.
const RESULT: &str = "/dev/termination-log";
const HEALTH: &str = "health";

/// The container, without its mounts.
pub(super) fn worker(
    place: &Place,
    wanted: &Wanted<'_>,
    part: Part<'_>,
) -> Result<Container, RenderError> {
    let slots = match &part.step.work {
        Work::Items(pool) => pool.workers.concurrency,
        Work::Each(_) | Work::Once => 1,
    };
    let given = part.step.pod.resources.as_ref();
    let resources = resources::of_step(given, slots).map_err(|why| RenderError::Resources {
        step: part.step.name.clone(),
        why,
    })?;
    let (command, args) = start(part)?;
    let mut container = Container {
        command: some(command),
        args: some(args),
        env: Some(env(place, wanted, part)),
        resources: Some(resources),
        ..ours(WORKER, place)
    };
    if let Some(image) = part.own_image() {
        container.image = Some(image.to_owned());
    }
    if part.has_worker() {
        container.ports = Some(vec![port(HEALTH, HEALTH_PORT)]);
        // A worker is alive while its loop turns, whatever the server or the handler does.
        container.liveness_probe = Some(probe("/healthz", HEALTH, 10, 6));
        // Ready is who held an item lately: those who did not are the first to go when there are too many.
        container.readiness_probe = Some(probe("/readyz", HEALTH, 5, 1));
    }
    Ok(container)
}

/// The container that puts our program where one of another image finds it.
pub(super) fn install(place: &Place) -> Container {
    Container {
        args: Some(
            ["worker", "install", volumes::PROGRAM_FOLDER]
                .map(Into::into)
                .to_vec(),
        ),
        resources: Some(resources::fixed([
            ("cpu", "10m", "1"),
            ("memory", "32Mi", "64Mi"),
            ("ephemeral-storage", "64Mi", "128Mi"),
        ])),
        volume_mounts: Some(vec![volumes::program().1]),
        ..ours("install", place)
    }
}

/// What is started: in place of the image's entry point, and its arguments.
fn start(part: Part<'_>) -> Result<(Vec<String>, Vec<String>), RenderError> {
    let no_image = |what| RenderError::NoImage {
        step: part.step.name.clone(),
        what,
    };
    let words = match part.handler {
        Handler::Builtin(builtin) if !part.has_worker() => {
            return Err(RenderError::BuiltinWithoutItems {
                step: part.step.name.clone(),
                builtin: builtin.clone(),
            });
        }
        Handler::Image if part.own_image().is_none() => {
            return Err(no_image("what its image does"));
        }
        Handler::Command(words) if part.own_image().is_none() && !is_ours(words) => {
            return Err(no_image("a command"));
        }
        Handler::Script(_) if part.own_image().is_none() => return Err(no_image("a script")),
        Handler::Process(_) if part.own_image().is_none() => return Err(no_image("a process")),
        Handler::Builtin(_) | Handler::Http(_) | Handler::Image => Vec::new(),
        Handler::Command(words) | Handler::Process(words) => words.clone(),
        Handler::Script(text) => script::command(text),
    };
    let words: Vec<_> = words.iter().map(|word| literal(word)).collect();
    if !part.has_worker() {
        return Ok((words, Vec::new()));
    }
    let program = part
        .own_image()
        .map(|_| PROGRAM.to_owned())
        .into_iter()
        .collect();
    let mut args = vec!["worker".to_owned()];
    if !words.is_empty() {
        args.push("--".to_owned());
        args.extend(words);
    }
    Ok((program, args))
}

/// Whether memq's own image has the program: it holds memq alone, and its search path leads there.
fn is_ours(words: &[String]) -> bool {
    matches!(
        words.first().map(String::as_str),
        Some("memq" | "/bin/memq")
    )
}

fn env(place: &Place, wanted: &Wanted<'_>, part: Part<'_>) -> Vec<EnvVar> {
    let mut env = vec![text("MEMQ_SERVER", &place.server)];
    if place.worker_token.is_some() {
        env.push(text(
            queue_client::TOKEN_FILE_VARIABLE,
            &volumes::token_file(),
        ));
    }
    env.push(text("MEMQ_RUN", &place.run));
    env.push(text("MEMQ_STEP", &part.step.name));
    if let Work::Items(pool) = &part.step.work {
        env.extend(worker_env(&wanted.queue, pool));
        match part.handler {
            Handler::Builtin(builtin) => env.push(text("MEMQ_BUILTIN", builtin)),
            Handler::Process(_) => env.push(text("MEMQ_PROCESS", "true")),
            Handler::Http(url) => env.push(text("MEMQ_HTTP", url)),
            Handler::Command(_) | Handler::Script(_) | Handler::Image => {}
        }
    }
    if !matches!(part.step.work, Work::Items(_)) {
        if let Some(element) = part.element {
            env.push(text("MEMQ_ELEMENT", &element.key));
        }
        env.push(text("MEMQ_ATTEMPT", &wanted.number.to_string()));
        // What is written there Kubernetes keeps, and the status of the run shows.
        env.push(text("MEMQ_RESULT", RESULT));
    }
    // Whoever it runs as has no home of its own, and the root cannot be written to.
    if part.own_image().is_some() && !part.env.contains_key("HOME") {
        env.push(text("HOME", volumes::TMP));
    }
    env.extend(part.env.iter().map(|(name, value)| variable(name, value)));
    env
}

/// What a worker is told of its queue and of the rules its items are under.
fn worker_env(queue: &str, pool: &Pool) -> Vec<EnvVar> {
    let dead_on: Vec<_> = pool.item.dead_on.iter().map(u8::to_string).collect();
    let mut env = vec![
        text("MEMQ_QUEUE", queue),
        text("MEMQ_UNTIL", "drained"),
        text("MEMQ_CONCURRENCY", &pool.workers.concurrency.to_string()),
        text("MEMQ_DEAD_ON", &dead_on.join(",")),
        text("MEMQ_GRACE", &in_seconds(GRACE)),
        text("MEMQ_HEALTH_LISTEN", &format!("0.0.0.0:{HEALTH_PORT}")),
        EnvVar {
            name: "MEMQ_NAME".into(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    field_path: "metadata.name".into(),
                    // What the API server would put there, so that nothing changes on the way.
                    api_version: Some("v1".into()),
                }),
                ..EnvVarSource::default()
            }),
        },
    ];
    if let Some(timeout) = pool.item.timeout {
        env.push(text(
            "MEMQ_ITEM_TIMEOUT",
            &format!("{}ms", timeout.as_millis()),
        ));
    }
    env
}

fn in_seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

/// A variable with this text.
pub(super) fn text(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(literal(value)),
        value_from: None,
    }
}

fn variable(name: &str, value: &EnvValue) -> EnvVar {
    let (name_of, key_of) = match value {
        EnvValue::Text(value) => return text(name, value),
        EnvValue::Secret { name, key } | EnvValue::ConfigMap { name, key } => {
            (name.clone(), key.clone())
        }
    };
    let mut source = EnvVarSource::default();
    if matches!(value, EnvValue::Secret { .. }) {
        source.secret_key_ref = Some(SecretKeySelector {
            name: name_of,
            key: key_of,
            optional: None,
        });
    } else {
        source.config_map_key_ref = Some(ConfigMapKeySelector {
            name: name_of,
            key: key_of,
            optional: None,
        });
    }
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(source),
    }
}

/// A text that Kubernetes hands on as it is. It reads `$(NAME)` as the value of a variable and `$$` as `$`, in
/// commands, arguments and values; a shell's `$(date)` must get through, and so must `$$`.
pub(super) fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let dollars = rest[at..].bytes().take_while(|b| *b == b'$').count();
        let after = &rest[at + dollars..];
        out.push_str(&rest[..at + dollars]);
        if dollars > 1 || after.starts_with('(') {
            out.push_str(&rest[at..at + dollars]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A probe every so many seconds that may fail so often.
pub(super) fn probe(path: &str, port: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        // A node under load answers late, and that is no reason to end what runs on it.
        timeout_seconds: Some(5),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A port by name.
pub(super) fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.to_owned()),
        container_port: number,
        ..ContainerPort::default()
    }
}

/// A container of memq's image.
pub(super) fn ours(name: &str, place: &Place) -> Container {
    Container {
        name: name.to_owned(),
        image: Some(place.image.clone()),
        security_context: Some(profile::container()),
        // What a program said last is kept by Kubernetes if it left no message of its own.
        termination_message_policy: Some("FallbackToLogsOnError".into()),
        ..Container::default()
    }
}

fn some(words: Vec<String>) -> Option<Vec<String>> {
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::literal;

    #[test]
    fn what_kubernetes_would_put_in_is_kept_from_it() {
        for (text, written) in [
            ("plain", "plain"),
            ("$HOME and ${HOME}", "$HOME and ${HOME}"),
            ("$(date)", "$$(date)"),
            ("$$", "$$$$"),
            ("$$(x)", "$$$$(x)"),
            ("cost: 5$", "cost: 5$"),
            ("ü$(MEMQ_RUN)$", "ü$$(MEMQ_RUN)$"),
        ] {
            assert_eq!(literal(text), written);
        }
    }
}
