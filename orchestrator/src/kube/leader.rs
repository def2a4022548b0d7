//! Leader election by a `Lease`: one controller works, the others wait.
//!
//! Owns the calls; what to do about an answer is [`super::election`]'s. Losing the lead stops fail: the
//! token is cancelled before another controller can begin, and whoever holds it must stop at once.

use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::election::{Election, Found, LEASE, Move, RETRY};
use super::patience::within;

/// The name of the Lease in the controller's namespace.
pub(crate) const LEASE_NAME: &str = "memq-controller";
/// How long one call may take: less than a leader can go without.
const CALL: Duration = Duration::from_secs(5);

/// A candidate for the lead.
pub(super) struct Leader {
    leases: Api<Lease>,
    me: String,
    election: Election,
    started: Instant,
}

impl Leader {
    /// A candidate by this name, which no other candidate may have.
    pub(super) fn new(leases: Api<Lease>, me: String) -> Self {
        Self {
            leases,
            election: Election::new(me.clone()),
            me,
            started: Instant::now(),
        }
    }

    /// Waits until we lead, or until told to stop; says which.
    pub(super) async fn win(&mut self, stop: &CancellationToken) -> bool {
        let mut said = false;
        loop {
            match self.turn().await {
                Ok(true) => return true,
                Ok(false) if !said => {
                    info!(kube.lease = LEASE_NAME, "another controller leads; waiting");
                    said = true;
                }
                Ok(false) => {}
                Err(error) => {
                    warn!(kube.lease = LEASE_NAME, error.message = %super::say(&error), "cannot take part in the election");
                }
            }
            tokio::select! {
                () = sleep(RETRY) => {}
                () = stop.cancelled() => return false,
            }
        }
    }

    /// Keeps the lead; returns when it is lost or `stop` is cancelled, which gives it up for others.
    /// `true` means that it was given up.
    pub(super) async fn keep(&mut self, stop: &CancellationToken) -> bool {
        loop {
            let Some(until) = self.election.leads_until() else {
                return false;
            };
            let left = until.saturating_sub(self.now());
            if left.is_zero() {
                self.election.lost();
                return false;
            }
            tokio::select! {
                () = sleep(RETRY.min(left)) => {}
                () = stop.cancelled() => {
                    self.give_up().await;
                    return true;
                }
            }
            let left = until.saturating_sub(self.now());
            match timeout(left, self.turn()).await {
                Ok(Ok(true)) => {}
                Ok(Ok(false)) => {
                    self.election.lost();
                    return false;
                }
                Ok(Err(error)) => {
                    warn!(kube.lease = LEASE_NAME, error.message = %super::say(&error), "cannot renew the lease");
                }
                Err(_elapsed) => {}
            }
        }
    }

    /// Reads the Lease and does what is to be done about it; whether we hold it then.
    async fn turn(&mut self) -> kube::Result<bool> {
        let lease = within(CALL, self.leases.get_opt(LEASE_NAME)).await?;
        let found = lease.as_ref().map(found);
        let sent = self.now();
        let written = match self.election.consider(found.as_ref(), sent) {
            Move::Leave => return Ok(false),
            Move::Create => {
                let lease = self.lease(None);
                within(CALL, self.leases.create(&PostParams::default(), &lease)).await
            }
            Move::Take | Move::Renew => {
                let lease = self.lease(lease);
                within(
                    CALL,
                    self.leases
                        .replace(LEASE_NAME, &PostParams::default(), &lease),
                )
                .await
            }
        };
        match written {
            Ok(_) => {
                self.election.wrote(sent);
                Ok(true)
            }
            // Somebody else was faster; the next look shows who.
            Err(kube::Error::Api(status)) if status.code == 409 => {
                debug!(kube.lease = LEASE_NAME, "somebody else wrote the lease");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn lease(&self, before: Option<Lease>) -> Lease {
        let now = MicroTime(super::clock::now());
        let old = before.as_ref().and_then(|lease| lease.spec.clone());
        let same = old
            .as_ref()
            .is_some_and(|spec| spec.holder_identity.as_deref() == Some(&self.me));
        let old = old.unwrap_or_default();
        let transitions = old.lease_transitions.unwrap_or(0) + i32::from(!same && before.is_some());
        Lease {
            metadata: before.map_or_else(
                || ObjectMeta {
                    name: Some(LEASE_NAME.into()),
                    ..ObjectMeta::default()
                },
                |lease| lease.metadata,
            ),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.me.clone()),
                lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
                acquire_time: if same {
                    old.acquire_time
                } else {
                    Some(now.clone())
                },
                renew_time: Some(now),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }

    /// Lets the next one begin at once.
    async fn give_up(&mut self) {
        self.election.lost();
        let given = async {
            let Some(mut lease) = self.leases.get_opt(LEASE_NAME).await? else {
                return Ok(());
            };
            let Some(spec) = lease.spec.as_mut() else {
                return Ok(());
            };
            if spec.holder_identity.as_deref() != Some(&self.me) {
                return Ok(());
            }
            spec.holder_identity = None;
            spec.lease_duration_seconds = Some(1);
            self.leases
                .replace(LEASE_NAME, &PostParams::default(), &lease)
                .await
                .map(drop)
        };
        if let Err(error) = within(CALL, given).await {
            debug!(kube.lease = LEASE_NAME, error.message = %super::say(&error), "cannot give the lease up; it runs out");
        }
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }
}

fn found(lease: &Lease) -> Found {
    let spec = lease.spec.clone().unwrap_or_default();
    let length = spec
        .lease_duration_seconds
        .and_then(|s| u64::try_from(s).ok());
    Found {
        holder: spec.holder_identity.unwrap_or_default(),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
        length: length.map_or(LEASE, Duration::from_secs),
    }
}
