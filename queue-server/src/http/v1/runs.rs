//! Runs: reports of those who carry them out, kept for those who watch.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use queue_api::limits::{MAX_PAGE_RUNS, MAX_RUN_REPORT_BYTES};
use queue_api::{Code, RunList, RunName, RunReport};

use serde::Deserialize;

use super::Shared;
use crate::http::App;
use crate::http::answer::json;
use crate::http::error::ApiError;
use crate::http::input::{FromPath, FromQuery, Payload};
use crate::http::openapi::{DeletesRun, NoQueue, OneRun, Reports, ShowsRun};
use crate::runs::{Page, Place, Runs, Told};

/// Runs in a page where the caller names no number.
const DEFAULT_RUNS: usize = 100;
/// Bytes of a page beside its reports and their commas, at most.
const AROUND_REPORTS: usize = 512;

#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsQuery {
    /// Most runs, default 100.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
    /// Only runs that come after this place: `next` of the page before.
    #[param(pattern = "^-?[0-9]{1,18}\\.[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$")]
    after: Option<String>,
}

#[utoipa::path(
    get, path = "/v1/runs", tag = "runs", operation_id = "listRuns",
    summary = "Runs that were reported",
    params(RunsQuery),
    responses(
        (status = 200, description = "The last report of each, of the run that began last first. A page ends after 1 MiB, too", body = RunList),
        NoQueue,
    )
)]
pub(super) async fn list(
    State(engine): Shared,
    State(runs): State<Runs>,
    FromQuery(RunsQuery { limit, after }): FromQuery<RunsQuery>,
) -> Result<Response, ApiError> {
    engine.check_ready()?;
    let limit = limit.unwrap_or(DEFAULT_RUNS);
    if !(1..=MAX_PAGE_RUNS).contains(&limit) {
        let detail = format!("limit is {limit}: give 1 to {MAX_PAGE_RUNS}");
        return Err(ApiError::bad_request(detail));
    }
    let after = after.map(|after| after.parse::<Place>());
    let after = after.transpose().map_err(|()| {
        ApiError::bad_request("after is no place in the list: give `next` of the page before")
    })?;
    let page = runs.page(after.as_ref(), limit, engine.now());
    Ok(json(StatusCode::OK, listed(&page)))
}

/// A [`RunList`] of reports that are JSON already.
fn listed(page: &Page) -> Vec<u8> {
    let reports = page.reports.iter().map(|report| report.len() + 1);
    let mut text = Vec::with_capacity(AROUND_REPORTS + reports.sum::<usize>());
    text.extend_from_slice(b"{\"runs\":[");
    for (at, report) in page.reports.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        text.extend_from_slice(report);
    }
    text.push(b']');
    if let Some(next) = &page.next {
        // A number and a name: nothing in it needs to be escaped.
        text.extend_from_slice(format!(",\"next\":\"{next}\"").as_bytes());
    }
    text.push(b'}');
    text
}

#[utoipa::path(
    get, path = "/v1/runs/{run}", tag = "runs", operation_id = "showRun",
    summary = "A run",
    params(OneRun),
    responses(
        (status = 200, description = "Its last report", body = RunReport),
        ShowsRun,
    )
)]
pub(super) async fn show(
    State(engine): Shared,
    State(runs): State<Runs>,
    FromPath(name): FromPath<RunName>,
) -> Result<Response, ApiError> {
    engine.check_ready()?;
    match runs.get(&name, engine.now()) {
        Some(report) => Ok(json(StatusCode::OK, report.into())),
        None => Err(unknown(&name)),
    }
}

#[utoipa::path(
    put, path = "/v1/runs/{run}", tag = "runs", operation_id = "reportRun",
    summary = "Report how far a run is",
    description = "In place of its last report. Send it on every change, at most once a second, and every 30 seconds as long as the run has not ended: the server keeps it in memory alone",
    params(OneRun),
    request_body(content = RunReport, content_type = "application/json"),
    responses(
        (status = 201, description = "The run was not known"),
        (status = 204, description = "The report is taken"),
        Reports,
    )
)]
pub(super) async fn put(
    State(engine): Shared,
    State(runs): State<Runs>,
    FromPath(name): FromPath<RunName>,
    payload: Payload,
) -> Result<StatusCode, ApiError> {
    engine.check_ready()?;
    let bytes = payload.bytes().len();
    if bytes > MAX_RUN_REPORT_BYTES {
        let detail = format!("the report has {bytes} bytes: give at most {MAX_RUN_REPORT_BYTES}");
        return Err(ApiError::new(Code::BodyTooLarge, detail));
    }
    let report: RunReport = payload.json("the report")?;
    if report.run != name {
        return Err(ApiError::bad_request(format!(
            "the report is of run `{}` and the path of `{name}`: give one name",
            report.run
        )));
    }
    report
        .check()
        .map_err(|error| ApiError::bad_request(error.to_string()))?;
    let now = engine.now();
    let told = Told::of(report, now).map_err(ApiError::internal)?;
    match runs.put(told, now) {
        true => Ok(StatusCode::CREATED),
        false => Ok(StatusCode::NO_CONTENT),
    }
}

#[utoipa::path(
    delete, path = "/v1/runs/{run}", tag = "runs", operation_id = "forgetRun",
    summary = "Forget a run",
    description = "What was reported of it; the run itself goes on, and its next report brings it back",
    params(OneRun),
    responses(
        (status = 204, description = "It is forgotten"),
        DeletesRun,
    )
)]
pub(super) async fn delete(
    State(engine): Shared,
    State(runs): State<Runs>,
    FromPath(name): FromPath<RunName>,
) -> Result<StatusCode, ApiError> {
    engine.check_ready()?;
    match runs.delete(&name, engine.now()) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(unknown(&name)),
    }
}

fn unknown(name: &RunName) -> ApiError {
    let detail = format!("nobody has reported a run `{name}` of late: see GET /v1/runs");
    ApiError::new(Code::NoSuchRun, detail)
}

/// Where a call about runs finds them.
impl axum::extract::FromRef<App> for Runs {
    fn from_ref(app: &App) -> Self {
        app.runs.clone()
    }
}
