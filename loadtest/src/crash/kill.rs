//! kill -9 of a loaded server, again and again, at moments drawn by chance.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::chance::Chance;
use super::ending;
use super::load::{BODY, Crew, Load};
use super::scenario::{Report, Setting};
use crate::report;

const CREW: Crew = Crew {
    putters: 8,
    workers: 8,
    lease: Duration::from_millis(700),
    body: BODY,
};
/// How long a life lasts at least and at most, in milliseconds.
const LIFE: (u64, u64) = (5, 400);

pub(super) async fn run(setting: &Setting) -> Result<Report> {
    let mut chance = Chance::new(setting.seed, u64::MAX);
    let plan = setting.plan("kill")?;
    let mut server = plan.start().await?;
    let mut load = Load::start(&server.target, setting.seed, CREW).await?;
    let mut recoveries = Vec::new();
    for number in 1..=setting.kills {
        load.go_on(chance.millis(LIFE.0, LIFE.1)).await?;
        server.kill()?;
        let begun = Instant::now();
        server = plan.start().await?;
        recoveries.push(begun.elapsed());
        load.field.server_is_at(&server.target);
        if number % 10 == 0 {
            report::progress(&format!("killed {number} of {}", setting.kills));
        }
    }
    let audit = ending::audit(load, &server.target).await?;
    Ok(Report {
        audit,
        blows: setting.kills,
        recoveries,
    })
}
