//! Answers requests: finds out what is asked, lets faults and missing rights have their way, and does it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State as Has};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::fault::Harm;
use crate::store::{Refused, list_of, missing};
use crate::target::Target;
use crate::watch::{self, Selector};
use crate::{Asked, NAMESPACE, Shared, State, WHO, status};

/// The group of memq's own kind, which may not be installed.
const GROUP: &str = "memq.dev";

type Params = HashMap<String, String>;

pub(super) async fn answer(
    Has(shared): Has<Arc<Shared>>,
    method: Method,
    uri: Uri,
    Query(params): Query<Params>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    match reply(shared, &method, &uri, &params, &headers, &body) {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

/// The answer, if there is ever to be one.
fn reply(
    shared: Arc<Shared>,
    method: &Method,
    uri: &Uri,
    params: &Params,
    headers: &HeaderMap,
    body: &[u8],
) -> Option<Response> {
    if let Some(answer) = about_itself(&shared.lock(), uri.path()) {
        return Some(answer);
    }
    let Some(target) = Target::parse(uri.path()) else {
        return Some(refuse((
            404,
            "NotFound",
            "the server could not find the requested resource".into(),
        )));
    };
    let watches = params.get("watch").is_some_and(|watch| watch != "false");
    let verb = verb(method, &target, watches);
    let resource = target.resource_and_part();
    let mut state = shared.lock();
    let by = headers
        .get(WHO)
        .and_then(|who| who.to_str().ok())
        .unwrap_or_default();
    state.asked.push(Asked {
        by: by.to_owned(),
        verb,
        resource: resource.clone(),
        name: target.name.clone(),
    });
    let mut faults = state.faults.iter_mut();
    let harm = faults.find_map(|fault| {
        fault
            .strikes(verb, &resource, by)
            .then(|| fault.harm.clone())
    });
    match &harm {
        Some(Harm::Answer(code, reason, message)) => {
            return Some(with(*code, &status(*code, reason, message)));
        }
        Some(Harm::LoseRequest) => return Some(cut_off()),
        Some(Harm::Silence) => return None,
        Some(Harm::LoseAnswer | Harm::SilenceAfter) | None => {}
    }
    if is_forbidden(&state, verb, &resource) {
        let Target { namespace, .. } = &target;
        let group = target.group();
        let message = format!(
            "{resource} is forbidden: User \"tester\" cannot {verb} resource \"{resource}\" in API group \
             \"{group}\" in the namespace \"{namespace}\""
        );
        return Some(refuse((403, "Forbidden", message)));
    }
    if target.group() == GROUP && !state.runs_are_known {
        // A group that nobody serves is answered by the path alone, and not as a Status.
        return Some((StatusCode::NOT_FOUND, "404 page not found\n").into_response());
    }
    if verb == "watch" {
        drop(state);
        let from = params
            .get("resourceVersion")
            .and_then(|version| version.parse().ok());
        let bookmarks = params
            .get("allowWatchBookmarks")
            .is_some_and(|word| word == "true");
        let body = watch::body(shared, target, selector(params), from, bookmarks);
        let kind = [(header::CONTENT_TYPE, "application/json")];
        return Some((kind, body).into_response());
    }
    let sent = serde_json::from_slice(body).unwrap_or(Value::Null);
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let applies = kind.is_some_and(|kind| kind.contains("apply-patch"));
    let done = act(&mut state, verb, &target, &sent, params, applies);
    shared.tell(&state);
    drop(state);
    let answer = match (harm, done) {
        (Some(Harm::SilenceAfter), _) => return None,
        (Some(_), _) => cut_off(),
        (None, Ok((code, Value::String(text)))) => (code_of(code), text).into_response(),
        (None, Ok((code, answer))) => with(code, &answer),
        (None, Err(refused)) => refuse(refused),
    };
    Some(answer)
}

fn act(
    state: &mut State,
    verb: &str,
    target: &Target,
    sent: &Value,
    params: &Params,
    applies: bool,
) -> Result<(u16, Value), Refused> {
    if target.resource.ends_with("accessreviews") {
        return Ok((201, review(state, sent)));
    }
    match verb {
        "get" if target.part == "log" => {
            let pod = target.whole();
            state.store.get(&pod).ok_or_else(|| missing(&pod))?;
            let log = state.logs.get(&pod.name).cloned().unwrap_or_default();
            Ok((200, log.into()))
        }
        "get" => {
            let whole = target.whole();
            let found = state.store.get(&whole).ok_or_else(|| missing(&whole))?;
            Ok((200, found.clone()))
        }
        "list" => {
            let selector = selector(params);
            let items = state.store.list(target).filter(|item| selector.takes(item));
            let items = items.cloned().collect();
            Ok((200, list_of(items, state.store.version())))
        }
        "create" => Ok((201, state.store.create(target, sent.clone())?)),
        "update" => Ok((200, state.store.replace(target, sent)?)),
        "patch" if applies => {
            let manager = params.get("fieldManager").map_or("", String::as_str);
            Ok((200, state.store.apply(target, manager, sent)?))
        }
        "patch" => Ok((200, state.store.merge(target, sent)?)),
        "delete" => {
            let wanted = sent.pointer("/preconditions/uid").and_then(Value::as_str);
            let found = state.store.get(target).ok_or_else(|| missing(target))?;
            if wanted.is_some_and(|uid| found["metadata"]["uid"] != uid) {
                return Err((
                    409,
                    "Conflict",
                    "the UID in the precondition is another".into(),
                ));
            }
            state.store.delete(target);
            let done =
                json!({"kind": "Status", "apiVersion": "v1", "status": "Success", "metadata": {}});
            Ok((200, done))
        }
        _ => Err((
            405,
            "MethodNotAllowed",
            "the fake API server cannot do that".into(),
        )),
    }
}

/// What is no resource: versions, and whether a group is there.
fn about_itself(state: &State, path: &str) -> Option<Response> {
    let answer = match path.trim_end_matches('/') {
        "/version" => json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0", "gitCommit": "", "gitTreeState": "",
            "buildDate": "", "goVersion": "", "compiler": "", "platform": "",
        }),
        "/apis/memq.dev/v1alpha1" if state.runs_are_known => json!({
            "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": "memq.dev/v1alpha1",
            "resources": [{"name": "runs", "singularName": "run", "namespaced": true, "kind": "Run", "verbs": ["get"]}],
        }),
        "/api/v1/namespaces/team" => json!({
            "kind": "Namespace", "apiVersion": "v1", "metadata": {"name": NAMESPACE},
        }),
        _ => return None,
    };
    Some(with(200, &answer))
}

fn review(state: &State, sent: &Value) -> Value {
    let about = &sent["spec"]["resourceAttributes"];
    let text = |name: &str| about[name].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        part => format!("{}/{part}", text("resource")),
    };
    let mut answer = sent.clone();
    answer["status"] = json!({"allowed": !is_forbidden(state, text("verb"), &resource)});
    answer
}

fn is_forbidden(state: &State, verb: &str, resource: &str) -> bool {
    let mut forbidden = state.forbidden.iter();
    forbidden.any(|(no, what)| no == verb && what == resource)
}

fn verb(method: &Method, target: &Target, watches: bool) -> &'static str {
    match *method {
        Method::GET if watches => "watch",
        Method::GET if target.name.is_empty() => "list",
        Method::GET => "get",
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => "other",
    }
}

fn selector(params: &Params) -> Selector {
    let text = |name: &str| params.get(name).map_or("", String::as_str);
    Selector::parse(text("labelSelector"), text("fieldSelector"))
}

fn refuse((code, reason, message): Refused) -> Response {
    with(code, &status(code, reason, &message))
}

fn with(code: u16, answer: &Value) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (code_of(code), kind, answer.to_string()).into_response()
}

fn code_of(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// An answer that breaks off before it says anything.
fn cut_off() -> Response {
    let broken = std::io::Error::new(std::io::ErrorKind::ConnectionReset, "a test cut it off");
    let body = futures_util::stream::iter([Err::<Bytes, _>(broken)]);
    Body::from_stream(body).into_response()
}
