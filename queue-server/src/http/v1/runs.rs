//! Runs: reports of those who carry them out, kept for those who watch.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use queue_api::limits::MAX_RUN_REPORT_BYTES;
use queue_api::{Code, RunList, RunName, RunReport};

use super::Shared;
use crate::http::App;
use crate::http::answer::Json;
use crate::http::error::ApiError;
use crate::http::input::{FromPath, Payload};
use crate::http::openapi::{DeletesRun, NoQueue, OneRun, Reports, ShowsRun};
use crate::runs::Runs;

#[utoipa::path(
    get, path = "/v1/runs", tag = "runs", operation_id = "listRuns",
    summary = "All runs that were reported",
    responses(
        (status = 200, description = "The last report of each, of the run that began last first", body = RunList),
        NoQueue,
    )
)]
pub(super) async fn list(
    State(engine): Shared,
    State(runs): State<Runs>,
) -> Result<Json<RunList>, ApiError> {
    engine.check_ready()?;
    let reports = runs
        .list(engine.now())
        .into_iter()
        .map(Arc::unwrap_or_clone);
    Ok(Json(RunList {
        runs: reports.collect(),
    }))
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
) -> Result<Json<RunReport>, ApiError> {
    engine.check_ready()?;
    match runs.get(&name, engine.now()) {
        Some(report) => Ok(Json(Arc::unwrap_or_clone(report))),
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
    match runs.put(report, bytes, engine.now()) {
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
