//! The web page as a browser fetches it: what is served, as what, under which policy. What the page does is
//! tried in a browser.

use std::fs;
use std::path::Path;

use rstest::rstest;
use tempfile::TempDir;

use crate::harness::{Answer, Api, Events, OPERATOR};

const INDEX: &str = include_str!("../../ui/index.html");

async fn page(api: &Api, path: &str) -> Answer {
    api.get(path).await.is(200)
}

#[tokio::test]
async fn the_root_is_the_page() {
    let api = Api::start();
    let answer = page(&api, "/").await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.text(), INDEX);
}

#[rstest]
#[case("app.js", "text/javascript; charset=utf-8")]
#[case("views/queues.js", "text/javascript; charset=utf-8")]
#[case("base.css", "text/css; charset=utf-8")]
#[case("icon.svg", "image/svg+xml")]
#[case("vendor/uplot.js", "text/javascript; charset=utf-8")]
#[tokio::test]
async fn its_files_come_as_what_they_are(#[case] file: &str, #[case] kind: &str) {
    let api = Api::start();
    let answer = page(&api, &format!("/ui/{file}")).await;
    assert_eq!(answer.header("content-type"), kind);
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let file = fs::read(root.join(file)).expect("the file is read");
    assert_eq!(answer.body, file);
}

#[tokio::test]
async fn everything_the_page_names_is_there() {
    let api = Api::start();
    let named: Vec<_> = INDEX
        .split('"')
        .filter(|part| part.starts_with("ui/"))
        .collect();
    assert!(named.len() > 4, "{named:?}");
    for path in named {
        page(&api, &format!("/{path}")).await;
    }
}

/// A browser that holds to this runs nothing but the files of the page, whatever an item holds.
#[rstest]
#[case("/")]
#[case("/ui/app.js")]
#[tokio::test]
async fn nothing_may_run_or_load_but_the_page_itself(#[case] path: &str) {
    let api = Api::start();
    let answer = page(&api, path).await;
    let policy: Vec<_> = answer
        .header("content-security-policy")
        .split("; ")
        .collect();
    assert_eq!(
        policy,
        [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ]
    );
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
}

/// The policy forbids both, so that a page that has them works only where nobody looks.
#[test]
fn the_page_has_no_script_and_no_style_of_its_own() {
    for inline in ["<style", "style=", "onclick=", "onload=", "javascript:"] {
        assert!(!INDEX.contains(inline), "{inline}");
    }
    for script in INDEX.split("<script").skip(1) {
        let text = script.split_once('>').expect("the tag ends").1;
        assert!(text.starts_with("</script>"), "{text}");
    }
}

#[rstest]
#[case("/")]
#[case("/ui/app.js")]
#[tokio::test]
async fn a_browser_that_has_it_is_told_so(#[case] path: &str) {
    let api = Api::start();
    let first = page(&api, path).await;
    assert_eq!(first.header("cache-control"), "no-cache");
    let tag = first.header("etag");
    for known in [tag, &format!("\"other\", {tag}"), "*"] {
        let known = [("if-none-match", known)];
        let again = api.call_with("GET", path, &known, ()).await.is(304);
        assert_eq!(again.body, "");
        assert_eq!(again.header("etag"), tag);
    }
    let changed = [("if-none-match", "\"other\"")];
    api.call_with("GET", path, &changed, ()).await.is(200);
}

#[tokio::test]
async fn different_files_have_different_tags() {
    let api = Api::start();
    let (one, other) = (page(&api, "/").await, page(&api, "/ui/app.js").await);
    assert_ne!(one.header("etag"), other.header("etag"));
}

#[rstest]
#[case("/")]
#[case("/ui/app.js")]
#[tokio::test]
async fn a_head_tells_what_a_get_would(#[case] path: &str) {
    let api = Api::start();
    let (get, head) = (page(&api, path).await, api.call("HEAD", path, ()).await);
    let head = head.is(200);
    assert_eq!(head.body, "");
    for name in ["content-type", "content-length", "etag"] {
        assert_eq!(head.header(name), get.header(name), "{name}");
    }
}

#[rstest]
#[case::unknown("/ui/nothing.js")]
#[case::the_folder("/ui/")]
#[case::without_slash("/ui")]
#[case::its_second_address("/ui/index.html")]
#[case::upwards("/ui/../Cargo.toml")]
#[case::upwards_hidden("/ui/%2e%2e/Cargo.toml")]
#[case::licence("/ui/vendor/uplot.LICENSE")]
#[case::tests("/ui/test/format.test.js")]
#[tokio::test]
async fn there_is_nothing_else(#[case] path: &str) {
    let api = Api::start();
    let detail = api.get(path).await.problem(404, "not_found");
    assert!(detail.contains("/ui"), "{detail}");
}

#[tokio::test]
async fn nothing_is_written_there() {
    let api = Api::start();
    for path in ["/", "/ui/app.js"] {
        api.post(path, "").await.problem(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn it_comes_compressed_where_the_browser_asks() {
    let api = Api::start();
    let plain = page(&api, "/ui/vendor/uplot.js").await;
    let asked = [("accept-encoding", "gzip")];
    let answer = api.call_with("GET", "/ui/vendor/uplot.js", &asked, ());
    let answer = answer.await.is(200);
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert!(answer.body.len() < plain.body.len());
    assert_eq!(answer.header("etag"), plain.header("etag"));
}

/// What tells the page that the server was started anew, and not merely out of reach.
#[tokio::test]
async fn a_stream_of_events_says_which_start_of_the_server_it_is_of() {
    let mut api = Api::start();
    let (one, other) = (instance(&api).await, instance(&api).await);
    assert_eq!(one, other);
    api.restart().await;
    assert_ne!(instance(&api).await, one);
}

async fn instance(api: &Api) -> String {
    let events = Events::open(api, "").await;
    events.header("memq-instance").to_owned()
}

/// Whoever has no token has to be asked for one by something.
#[tokio::test]
async fn the_page_itself_needs_no_token() {
    let tokens = TempDir::new().expect("a directory");
    let path = tokens.path().join("tokens");
    fs::write(&path, format!("admin {OPERATOR}\n")).expect("written");
    let api = Api::start_with(|config| config.access.tokens = Some(path));
    for path in ["/", "/ui/app.js", "/ui/vendor/uplot.css", "/ui/icon.svg"] {
        page(&api, path).await;
    }
    api.get("/v1/queues").await.problem(401, "unauthenticated");
}
