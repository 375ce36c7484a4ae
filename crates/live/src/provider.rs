//! The engine's provider on the real services: looks at one step, carries it out, takes it back,
//! probes its gate.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use keyless_engine::{Fault, Probe, Provider, Standing};
use keyless_model::{FingerprintKey, Timestamp};
use keyless_plan::{Gate, Op, Step, Undo};

use crate::error::LiveError;
use crate::resource::Expect;
use crate::services::Services;
use crate::{canary, document, gates, key_vault, resource, roles, statements};

/// The live services, and the key under which a plan's fingerprints were made.
pub struct LiveProvider {
    pub(crate) services: Services,
    pub(crate) key: FingerprintKey,
    /// Reads an environment variable; named values and canaries may need one.
    pub(crate) environment: fn(&str) -> Option<String>,
}

impl LiveProvider {
    pub fn new(
        services: Services,
        key: FingerprintKey,
        environment: fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            services,
            key,
            environment,
        }
    }
}

#[async_trait]
impl Provider for LiveProvider {
    fn now(&self) -> Timestamp {
        self.services.now()
    }

    async fn check(&self, step: &Step) -> Result<Standing, Fault> {
        let standing = match &step.op {
            Op::Put { body, expect, .. } | Op::Patch { body, expect } => {
                resource::check_put(self, &step.address, body, expect.as_ref()).await
            }
            Op::Splice {
                expect, leads_to, ..
            } => document::check(self, &step.address, expect, leads_to).await,
            Op::Sql {
                database,
                statements,
                users,
            } => statements::check(&self.services, database, statements, users).await,
            Op::Assign { .. } => roles::check(&self.services, step).await,
            Op::Unassign { id } => roles::check_gone(&self.services, id).await,
            Op::Delete {} => resource::check_delete(self, &step.address).await,
            Op::TakeBack { step } => return self.check_back(step).await,
            Op::Gate { .. } => Ok(Standing::Ready),
        };
        standing.map_err(fault)
    }

    async fn act(&self, step: &Step) -> Result<(), Fault> {
        let done = match &step.op {
            Op::Put {
                body,
                value,
                expect,
            } => {
                let expect = Expect::Planned(expect.as_ref());
                resource::put(self, &step.address, body, value.as_ref(), expect).await
            }
            Op::Patch { body, expect } => {
                let expect = Expect::Planned(expect.as_ref());
                resource::patch(self, &step.address, body, expect).await
            }
            Op::Splice { edits, expect, .. } => {
                document::splice(self, &step.address, edits, expect).await
            }
            Op::Sql {
                database,
                statements,
                ..
            } => statements::run(&self.services, database, statements).await,
            Op::Assign { .. } => roles::assign(&self.services, step).await,
            Op::Unassign { id } => roles::unassign(&self.services, id).await,
            Op::Delete {} => resource::delete(self, &step.address).await,
            Op::TakeBack { step } => return self.undo(step).await,
            Op::Gate { .. } => Ok(()),
        };
        done.map_err(fault)
    }

    async fn undo(&self, step: &Step) -> Result<(), Fault> {
        let done = match &step.undo {
            Undo::Delete if matches!(step.op, Op::Assign { .. }) => {
                roles::take_back(&self.services, step).await
            }
            Undo::Delete => resource::delete(self, &step.address).await,
            Undo::Put { body } => resource::put_back(self, &step.address, body).await,
            Undo::Splice { edits } => {
                let Op::Splice {
                    expect, leads_to, ..
                } = &step.op
                else {
                    return Ok(());
                };
                document::undo(self, &step.address, edits, expect, leads_to).await
            }
            Undo::Sql { statements } => {
                let Op::Sql { database, .. } = &step.op else {
                    return Ok(());
                };
                statements::run(&self.services, database, statements).await
            }
            Undo::Nothing { .. } => Ok(()),
            Undo::Never { why } => {
                return Err(Fault::Refused {
                    message: format!("it cannot be undone: {why}"),
                });
            }
        };
        done.map_err(fault)
    }

    async fn probe(&self, step: &Step, gate: &Gate) -> Result<Probe, Fault> {
        let probe = match gate {
            Gate::Effective {
                gateway,
                database,
                user,
                rights,
            } => gates::rights(&self.services, gateway, database, user, rights).await,
            Gate::Canary {
                api,
                current,
                request,
                auth,
                edits,
            } => {
                let asked = canary::Asked {
                    api,
                    current: *current,
                    request,
                    auth: auth.as_ref(),
                    edits,
                };
                canary::probe(self, asked).await
            }
            Gate::Soak { principals, .. } => gates::sample(&self.services, principals).await,
            Gate::Lockable { server, databases } => {
                gates::lockable(&self.services, server, databases).await
            }
            Gate::KeyVault { named_value } => key_vault::health(self, named_value).await,
            Gate::Approve { .. } => Ok(Probe::NoEvidence(format!("{} asks a person", step.id))),
        };
        probe.map_err(fault)
    }

    async fn wait(&self, look: u32) {
        // Azure shows a write everywhere within seconds to minutes (azure-facts F, failure modes).
        let seconds = u64::from(look.min(6)).pow(2);
        self.services.arm.rest(Duration::from_secs(seconds)).await;
    }

    fn heed(&self, stop: &'static AtomicBool) {
        self.services.arm.heed(stop);
    }
}

impl LiveProvider {
    /// How live stands to taking `step` back.
    async fn check_back(&self, step: &Step) -> Result<Standing, Fault> {
        if let (
            Undo::Sql { statements: back },
            Op::Sql {
                database,
                statements,
                ..
            },
        ) = (&step.undo, &step.op)
        {
            let standing = statements::check_back(&self.services, database, statements, back);
            return standing.await.map_err(fault);
        }
        if matches!(step.op, Op::Assign { .. }) {
            return roles::check_back(&self.services, step).await.map_err(fault);
        }
        Ok(match self.check(step).await? {
            Standing::Done => Standing::Ready,
            Standing::Ready => Standing::Done,
            other => other,
        })
    }
}

/// What a live error means for the step.
fn fault(error: LiveError) -> Fault {
    let message = error.to_string();
    match &error {
        // A new identity is not known everywhere at once (azure-facts D).
        LiveError::Arm(arm) if arm.code() == "PrincipalNotFound" => Fault::Transient { message },
        LiveError::Arm(arm) if arm.uncertain() => Fault::OutcomeUnknown { message },
        LiveError::Arm(arm) if arm.stale() => Fault::Changed { message },
        LiveError::Sql(sql) if sql.outcome_unknown() => Fault::OutcomeUnknown { message },
        LiveError::Sql(sql) if sql.is_transient() => Fault::Transient { message },
        LiveError::Gone(_) | LiveError::Changed(_) => Fault::Changed { message },
        _ => Fault::Refused { message },
    }
}
