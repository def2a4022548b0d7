//! What operators and their machines ask: is it alive, may it serve. What it holds is told by its metrics.

use crate::harness::Api;

#[tokio::test]
async fn a_server_that_runs_is_alive_and_ready() {
    let api = Api::start();
    api.get("/healthz").await.is(200);
    api.get("/readyz").await.is(200);
}
