//! A simulated world: one JSON value for each address, with faults, delays and a clock set from
//! outside. It knows nothing of the engine but the `Provider` seam.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use keyless_model::{Address, Session, Timestamp};
use keyless_plan::{Gate, Op, Step, Undo};
use serde_json::{Value, json};

use crate::{Fault, Probe, Provider, Standing};

/// Kills the process at a chosen point: the call never comes back.
pub(super) struct Fuse(AtomicI64);

impl Default for Fuse {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }
}

impl Fuse {
    /// Kills at the point with this number, counted from 0 and from now.
    pub fn set(&self, points: i64) {
        self.0.store(points, Ordering::SeqCst);
    }

    pub async fn burn(&self) {
        if self.0.fetch_sub(1, Ordering::SeqCst) <= 0 {
            futures::future::pending::<()>().await;
        }
    }
}

pub(super) struct World {
    fuse: Arc<Fuse>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
pub(super) struct Inner {
    pub now: i64,
    pub live: BTreeMap<Address, Value>,
    /// Effects on the world, by step.
    pub writes: BTreeMap<String, usize>,
    /// Looks at the world, by step.
    pub looks: BTreeMap<String, usize>,
    /// How the next acts end, and whether the effect is there nevertheless.
    pub acts: BTreeMap<String, VecDeque<(Fault, bool)>>,
    /// How the next undos end.
    pub undos: BTreeMap<String, VecDeque<Fault>>,
    /// How the next checks end.
    pub checks: BTreeMap<String, VecDeque<Result<Standing, Fault>>>,
    /// Steps whose text the service turns into another one.
    pub mangled: BTreeSet<String>,
    /// How the next probes end; a gate without an entry holds.
    pub probes: BTreeMap<String, VecDeque<Result<Probe, Fault>>>,
    pub sessions: Vec<Session>,
    pub waits: u32,
    /// Whether somebody asks the run to stop while it waits.
    pub asked_while_waiting: bool,
    pub stop: Option<&'static AtomicBool>,
}

impl Default for World {
    fn default() -> Self {
        Self::new(&Arc::default())
    }
}

impl World {
    pub fn new(fuse: &Arc<Fuse>) -> Self {
        let inner = Inner {
            now: 1,
            ..Inner::default()
        };
        Self {
            fuse: Arc::clone(fuse),
            inner: Mutex::new(inner),
        }
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn set(&self, address: &Address, value: &str) {
        self.inner().live.insert(address.clone(), json!(value));
    }

    pub fn value(&self, address: &Address) -> Option<String> {
        self.inner()
            .live
            .get(address)
            .and_then(Value::as_str)
            .map(str::to_owned)
    }

    pub fn writes(&self, step: &str) -> usize {
        self.inner().writes.get(step).copied().unwrap_or_default()
    }

    pub fn log_in(&self, login: &str, at: i64) {
        self.log_in_from(login, at, "vm-7");
    }

    pub fn log_in_from(&self, login: &str, at: i64, host: &str) {
        let session = Session {
            original_login: login.to_owned(),
            login_time: Timestamp::from_unix(at),
            program: "app".into(),
            host: host.into(),
        };
        self.inner().sessions.push(session);
    }

    pub fn next_act(&self, step: &str, fault: Fault, lands: bool) {
        self.inner()
            .acts
            .entry(step.to_owned())
            .or_default()
            .push_back((fault, lands));
    }

    pub fn next_check(&self, step: &str, result: Result<Standing, Fault>) {
        self.inner()
            .checks
            .entry(step.to_owned())
            .or_default()
            .push_back(result);
    }

    pub fn next_probe(&self, step: &str, result: Result<Probe, Fault>) {
        self.inner()
            .probes
            .entry(step.to_owned())
            .or_default()
            .push_back(result);
    }
}

fn before(step: &Step) -> Option<&Value> {
    match &step.undo {
        Undo::Put { body } => Some(body),
        _ => None,
    }
}

fn next<T>(queues: &mut BTreeMap<String, VecDeque<T>>, step: &Step) -> Option<T> {
    queues.get_mut(&step.id).and_then(VecDeque::pop_front)
}

impl Inner {
    fn carry_out(&mut self, step: &Step) {
        *self.writes.entry(step.id.clone()).or_default() += 1;
        match &step.op {
            Op::Put { body, .. } => {
                let mangled = self.mangled.contains(&step.id);
                let value = if mangled {
                    json!("mangled")
                } else {
                    body.clone()
                };
                self.live.insert(step.address.clone(), value);
            }
            Op::Delete { .. } => {
                self.live.remove(&step.address);
            }
            Op::TakeBack { step } => {
                match before(step) {
                    Some(body) => self.live.insert(step.address.clone(), body.clone()),
                    None => self.live.remove(&step.address),
                };
            }
            _ => panic!("the world knows no such step"),
        }
    }

    fn standing(&self, step: &Step) -> Standing {
        let live = self.live.get(&step.address);
        match &step.op {
            Op::Put { body, .. } if live == Some(body) => Standing::Done,
            Op::Put { .. } if live == before(step) => Standing::Ready,
            Op::Put { .. } => Standing::Conflict {
                found: "another value".into(),
            },
            Op::Delete { .. } if live.is_none() => Standing::Done,
            Op::Delete { .. } => Standing::Ready,
            Op::TakeBack { step } => match self.standing(step) {
                Standing::Done => Standing::Ready,
                Standing::Ready => Standing::Done,
                other => other,
            },
            _ => panic!("the world knows no such step"),
        }
    }
}

#[async_trait]
impl Provider for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix(self.inner().now)
    }

    async fn check(&self, step: &Step) -> Result<Standing, Fault> {
        self.fuse.burn().await;
        let mut inner = self.inner();
        *inner.looks.entry(step.id.clone()).or_default() += 1;
        match next(&mut inner.checks, step) {
            Some(result) => result,
            None => Ok(inner.standing(step)),
        }
    }

    async fn act(&self, step: &Step) -> Result<(), Fault> {
        self.fuse.burn().await;
        let result = {
            let mut inner = self.inner();
            match next(&mut inner.acts, step) {
                Some((fault, lands)) => {
                    if lands {
                        inner.carry_out(step);
                    }
                    Err(fault)
                }
                None => {
                    inner.carry_out(step);
                    Ok(())
                }
            }
        };
        self.fuse.burn().await;
        result
    }

    async fn undo(&self, step: &Step) -> Result<(), Fault> {
        self.fuse.burn().await;
        let result = {
            let mut inner = self.inner();
            match next(&mut inner.undos, step) {
                Some(fault) => Err(fault),
                None => {
                    match before(step) {
                        Some(body) => inner.live.insert(step.address.clone(), body.clone()),
                        None => inner.live.remove(&step.address),
                    };
                    Ok(())
                }
            }
        };
        self.fuse.burn().await;
        result
    }

    async fn probe(&self, step: &Step, gate: &Gate) -> Result<Probe, Fault> {
        assert!(
            !matches!(gate, Gate::Approve { .. }),
            "nobody probes a person"
        );
        self.fuse.burn().await;
        let mut inner = self.inner();
        match next(&mut inner.probes, step) {
            Some(result) => result,
            None if matches!(gate, Gate::Soak { .. }) => Ok(Probe::Sample(inner.sessions.clone())),
            None => Ok(Probe::Holds("it holds".into())),
        }
    }

    /// Somebody who is to ask for a stop does so in the middle of it.
    async fn wait(&self, _look: u32) {
        let mut inner = self.inner();
        inner.waits += 1;
        if let Some(stop) = inner.stop.filter(|_| inner.asked_while_waiting) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    fn heed(&self, stop: &'static AtomicBool) {
        self.inner().stop = Some(stop);
    }
}
