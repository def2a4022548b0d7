//! Which route a path is of, so that a label says that and not the path.

use matchit::Router;

/// The route of what has none.
const OTHER: &str = "other";
/// The page for people and its files, which the description of the API does not name.
const PAGE: [&str; 3] = ["/", "/ui/", "/ui/{*path}"];

/// One of the routes of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route(usize);

impl Route {
    pub(super) fn index(self) -> usize {
        self.0
    }
}

/// The routes of a server by their paths.
#[derive(Debug)]
pub(super) struct Templates {
    names: Vec<String>,
    router: Router<Route>,
}

impl Templates {
    /// The routes of these paths, in which `{name}` stands for a segment, and those of the page.
    ///
    /// # Panics
    /// If two paths contradict each other: then the server could not serve them either.
    pub(super) fn new<'a>(paths: impl Iterator<Item = &'a str>) -> Self {
        let mut names = vec![OTHER.to_owned()];
        let mut router = Router::new();
        let page = PAGE.into_iter();
        for path in paths.chain(page) {
            match router.insert(path, Route(names.len())) {
                Ok(()) => names.push(path.to_owned()),
                Err(error) => {
                    panic!("the routes of a server do not contradict each other: {error}")
                }
            }
        }
        Self { names, router }
    }

    /// Their names, each at its index.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The route of a path.
    pub(super) fn find(&self, path: &str) -> Route {
        self.router.at(path).map_or(Route(0), |found| *found.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_named_by_its_route_and_never_by_itself() {
        let paths = [
            "/v1/queues",
            "/v1/queues/{queue}",
            "/v1/queues/{queue}/items",
        ];
        let templates = Templates::new(paths.into_iter());
        let names: Vec<_> = templates.names().collect();
        for (path, name) in [
            ("/v1/queues", "/v1/queues"),
            ("/v1/queues/a", "/v1/queues/{queue}"),
            ("/v1/queues/a%20b/items", "/v1/queues/{queue}/items"),
            ("/v1/queues/a/items/b", OTHER),
            ("/wp-login.php", OTHER),
            ("", OTHER),
            ("/", "/"),
            ("/ui/app.js", "/ui/{*path}"),
        ] {
            assert_eq!(names[templates.find(path).index()], name, "{path}");
        }
    }
}
