//! What is broken when, by a seed: the same seed breaks the same things in the same order.

use crate::world::{NODES, PBXS, SOON, World};
use anyhow::{Context, Result};
use rand::{
    Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _, seq::SliceRandom as _,
};
use std::time::Duration;
use telepulse_tests::{fault_proxy::Fault, nats_cluster::SERVERS, wall_clock::Wrong};
use tokio::time::{Instant, sleep};

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Harm {
    /// A node does not reach NATS: nothing comes any more, or every connection is refused.
    CutFromNats { node: usize, how: Fault },
    /// A node does not reach an Asterisk.
    CutFromAsterisk { node: usize, pbx: usize, how: Fault },
    /// All that a node says and hears takes its time.
    Delay { node: usize, by: Duration },
    /// A node is killed, and started again.
    KillNode { node: usize },
    /// A node is stopped, and goes on as if nothing had been.
    StopNode { node: usize },
    /// A server of NATS is killed, and started again.
    KillNats { server: usize },
    /// A node's clock is set, and stays so.
    SetClock { node: usize, wrong: Wrong },
}

/// The order in which things break.
pub(crate) struct Script {
    random: StdRng,
    /// Kinds that have not had their turn in this round.
    left: Vec<usize>,
}

const KINDS: usize = 7;
/// Nobody's clock is wrong by more.
const WRONG: Duration = Duration::from_hours(30);

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), left: Vec::new() }
    }

    /// Sets the clocks of all nodes but the first.
    pub(crate) fn set_clocks(&mut self, world: &World) -> Result<()> {
        for node in &world.nodes[1..] {
            let wrong = wrong(&mut self.random);
            eprintln!("the clock of {}: {wrong:?}", node.name());
            node.set_clock(wrong)?;
        }
        Ok(())
    }

    /// Breaks and mends one thing after the other for a time, each kind at least once.
    pub(crate) async fn play(&mut self, world: &mut World, time: Duration) -> Result<usize> {
        let (begun, mut count) = (Instant::now(), 0);
        while begun.elapsed() < time || count < KINDS {
            let harm = self.next()?;
            let lasting = Duration::from_millis(self.random.random_range(1_000..5_000));
            eprintln!("{:5.1} s: {harm:?} for {lasting:?}", begun.elapsed().as_secs_f64());
            let done = inflict(world, harm, lasting).await;
            done.with_context(|| format!("{harm:?}"))?;
            sleep(Duration::from_millis(self.random.random_range(500..2_500))).await;
            count += 1;
        }
        Ok(count)
    }

    fn next(&mut self) -> Result<Harm> {
        if self.left.is_empty() {
            self.left = (0..KINDS).collect();
            self.left.shuffle(&mut self.random);
        }
        let kind = self.left.pop().context("a kind")?;
        let random = &mut self.random;
        let node = random.random_range(0..NODES);
        let how = *[Fault::Stall, Fault::Gone].choose(random).context("ways")?;
        Ok(match kind {
            0 => Harm::CutFromNats { node, how },
            1 => Harm::CutFromAsterisk { node, pbx: random.random_range(0..PBXS), how },
            2 => Harm::Delay { node, by: Duration::from_millis(random.random_range(20..400)) },
            3 => Harm::KillNode { node },
            4 => Harm::StopNode { node },
            5 => Harm::KillNats { server: random.random_range(0..SERVERS) },
            _ => Harm::SetClock { node, wrong: wrong(random) },
        })
    }
}

fn wrong(random: &mut StdRng) -> Wrong {
    let by = WRONG.mul_f64(random.random::<f64>().powi(3));
    if random.random() { Wrong::Ahead(by) } else { Wrong::Behind(by) }
}

async fn inflict(world: &mut World, harm: Harm, lasting: Duration) -> Result<()> {
    match harm {
        Harm::CutFromNats { node, how } => {
            world.links[node].nats.iter().for_each(|link| link.set(how));
            sleep(lasting).await;
            world.links[node].heal();
        }
        Harm::CutFromAsterisk { node, pbx, how } => {
            world.links[node].pbxs[pbx].set(how);
            sleep(lasting).await;
            world.links[node].heal();
        }
        Harm::Delay { node, by } => {
            let links = &world.links[node];
            links.nats.iter().chain(&links.pbxs).for_each(|link| link.set(Fault::Delay(by)));
            sleep(lasting).await;
            links.heal();
        }
        Harm::KillNode { node } => {
            world.nodes[node].kill()?;
            sleep(lasting).await;
            world.nodes[node].start()?;
            world.nodes[node].ready(SOON).await?;
        }
        Harm::StopNode { node } => {
            world.nodes[node].pause()?;
            sleep(Duration::from_secs(4)).await;
            world.nodes[node].go_on()?;
        }
        Harm::KillNats { server } => {
            world.nats.kill(server)?;
            sleep(lasting).await;
            world.nats.start_again(server)?;
            // Another must not die before this one has all.
            world.nats.is_whole().await?;
        }
        Harm::SetClock { node, wrong } => world.nodes[node].set_clock(wrong)?,
    }
    Ok(())
}
