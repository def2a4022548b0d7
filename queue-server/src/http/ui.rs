//! The web page: files of `queue-server/ui`, held in the program, served at `/` and below `/ui/`.
//!
//! The page calls the public API and nothing else, so this knows no queues. It holds no secret and asks for
//! no token. The policy on it lets nothing run or load but these files.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::App;
use super::error;

/// No inline script or style, nothing from elsewhere, not within a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The page itself; all others are below `/ui/`.
const INDEX: &str = "index.html";

/// Files by their path below `/ui/`.
macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../ui/", $path)))),*]
    };
}

/// All that is served; a test finds a file that is missing here.
const HELD: &[(&str, &[u8])] = files![
    "actions.js",
    "api.js",
    "app.js",
    "badges.js",
    "base.css",
    "charts.js",
    "command.js",
    "content.js",
    "copy.js",
    "create.js",
    "dialog.js",
    "dom.js",
    "enqueue.js",
    "events.js",
    "format.js",
    "history.js",
    "icon.svg",
    "index.html",
    "late.js",
    "notices.js",
    "patch.js",
    "quantities.js",
    "router.js",
    "sending.js",
    "session.js",
    "settings.js",
    "sse.js",
    "store.js",
    "tables.js",
    "theme.js",
    "upload.js",
    "vendor/uplot.css",
    "vendor/uplot.js",
    "views.css",
    "views/dead.js",
    "views/item.js",
    "views/items.js",
    "views/joblog.js",
    "views/overview.js",
    "views/queue.js",
    "views/queues.js",
    "views/run.js",
    "views/runs.js",
    "views/settings.js",
    "views/welcome.js",
];

/// The page's routes. None of them needs a token.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(index))
        .route("/ui/{*path}", get(file))
}

async fn index(headers: HeaderMap) -> Response {
    serve(INDEX, &headers)
}

async fn file(Path(path): Path<String>, uri: Uri, headers: HeaderMap) -> Response {
    // The page itself has one address: the links in it count from there.
    if path == INDEX || !FILES.contains_key(path.as_str()) {
        return error::not_found(uri).await.into_response();
    }
    serve(&path, &headers)
}

/// A file; or, to a browser that has it already, that it is the same.
fn serve(path: &str, headers: &HeaderMap) -> Response {
    let Some(File { bytes, tag }) = FILES.get(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let head = [
        (CONTENT_TYPE, HeaderValue::from_static(kind(path))),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (ETAG, tag.clone()),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    if has(headers, tag) {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (head, Bytes::from_static(bytes)).into_response()
}

/// Whether one of the tags that the browser has is this one.
fn has(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(IF_NONE_MATCH).iter();
    let mut tags = known
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(str::trim));
    tags.any(|known| known == "*" || known == tag)
}

/// The media type of a file, by its name.
fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

/// A file and what tells it from another version of it.
#[derive(Debug)]
struct File {
    bytes: &'static [u8],
    tag: HeaderValue,
}

/// The files by their path.
static FILES: LazyLock<HashMap<&str, File>> = LazyLock::new(|| {
    let files = HELD.iter().map(|&(path, bytes)| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        // Weak: it goes compressed or as it is, and the bytes on the way differ.
        let tag = format!("W/\"{:016x}\"", hasher.finish());
        let tag = HeaderValue::from_str(&tag).expect("a tag is ASCII");
        (path, File { bytes, tag })
    });
    files.collect()
});

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    /// What the browser loads: not the tests, and not the licence that lies beside what it is about.
    fn is_served(path: &Path) -> bool {
        let name = path.to_string_lossy();
        !name.starts_with("test/") && !name.ends_with("LICENSE")
    }

    fn below(folder: PathBuf, root: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).expect("the folder is read") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("it lies below").to_owned();
            if path.is_dir() {
                below(path, root, found);
            } else if is_served(&name) {
                found.insert(name.to_string_lossy().into_owned());
            }
        }
    }

    #[test]
    fn every_file_of_the_page_is_held() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
        let mut there = BTreeSet::new();
        below(root.clone(), &root, &mut there);
        let held: BTreeSet<_> = HELD.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(held, there);
    }

    #[test]
    fn every_file_has_a_media_type() {
        for (path, _) in HELD {
            assert_ne!(kind(path), "application/octet-stream", "{path}");
        }
    }
}
