//! Two servers on one directory: the second must refuse to start, and the first must not notice.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::ending;
use super::load::{BODY, Crew, Load};
use super::scenario::{Report, Setting};

const CREW: Crew = Crew {
    putters: 4,
    workers: 4,
    lease: Duration::from_secs(1),
    body: BODY,
};
/// Load around each try.
const AROUND: Duration = Duration::from_millis(150);
/// How soon the second must have given up.
const REFUSES: Duration = Duration::from_secs(20);

pub(super) async fn run(setting: &Setting) -> Result<Report> {
    let plan = setting.plan("second")?;
    let mut server = plan.start().await?;
    // That it complains is what we want, and need not be read each time.
    let mut another = plan.clone();
    another.log = "off";
    let mut load = Load::start(&server.target, setting.seed, CREW).await?;
    let times = if setting.short { 2 } else { 10 };
    for _ in 0..times {
        load.go_on(AROUND).await?;
        let mut second = another.spawn().await?;
        let status = second.end(REFUSES).await?;
        ensure!(
            !status.success(),
            "a second server on the same directory ended with {status}"
        );
        load.go_on(AROUND).await?;
        ensure!(
            server.ended()?.is_none(),
            "the first server ended when a second was started"
        );
    }
    // What the second may have done to the files shows when they are read again.
    server.kill()?;
    let begun = std::time::Instant::now();
    server = plan.start().await?;
    let recovery = begun.elapsed();
    load.field.server_is_at(&server.target);
    let audit = ending::audit(load, &server.target).await?;
    Ok(Report {
        audit,
        blows: times,
        recoveries: vec![recovery],
    })
}
