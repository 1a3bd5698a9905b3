//! Everything that takes part: Asterisks with phones, three servers of NATS, a Redis, three nodes, and
//! between them links of which each can be broken by itself.

use anyhow::{Context, Result};
use serde_json::Value;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};
use telepulse_tests::{
    asterisk::{Asterisk, Installation, Options},
    daemon::{Daemon, REDIS},
    fault_proxy::{Fault, FaultProxy},
    nats_cluster::NatsCluster,
    node::Node,
    phones::{Act, Phone},
    wait,
};

/// Long enough for anything that should happen soon, on a busy machine too.
pub(crate) const SOON: Duration = Duration::from_mins(1);
pub(crate) const NODES: usize = 3;
pub(crate) const PBXS: usize = 2;
/// What a server is called.
pub(crate) fn id(pbx: usize) -> String {
    format!("pbx{}", pbx + 1)
}

pub(crate) struct World {
    pub(crate) pbxs: Vec<Asterisk>,
    pub(crate) nats: NatsCluster,
    pub(crate) nodes: Vec<Node>,
    pub(crate) links: Vec<Links>,
    redis: Daemon,
    _phones: Vec<Phone>,
}

/// The links of one node.
pub(crate) struct Links {
    pub(crate) nats: Vec<FaultProxy>,
    pub(crate) pbxs: Vec<FaultProxy>,
}

impl Links {
    async fn lay(nats: &NatsCluster, pbxs: &[Asterisk]) -> Result<Self> {
        let mut links = Self { nats: Vec::new(), pbxs: Vec::new() };
        for server in nats.addresses() {
            links.nats.push(FaultProxy::start(server).await?);
        }
        for pbx in pbxs {
            links.pbxs.push(FaultProxy::start(pbx.manager()).await?);
        }
        Ok(links)
    }

    /// Every link of the node works again.
    pub(crate) fn heal(&self) {
        self.nats.iter().chain(&self.pbxs).for_each(|link| link.set(Fault::None));
    }
}

impl World {
    pub(crate) async fn build(installation: &Installation) -> Result<Self> {
        let (mut pbxs, mut phones) = (Vec::new(), Vec::new());
        for pbx in 0..PBXS {
            let options = Options { system_name: id(pbx), ..Options::default() };
            let asterisk = Asterisk::start(installation, options).await?;
            phones.extend(people(&asterisk).await?);
            pbxs.push(asterisk);
        }
        let nats = NatsCluster::start().await?;
        let redis = Daemon::start(REDIS).await?;
        let mut world =
            Self { pbxs, nats, nodes: Vec::new(), links: Vec::new(), redis, _phones: phones };
        for number in 0..NODES {
            world.add_node(number).await?;
        }
        world.is_healed().await?;
        Ok(world)
    }

    /// One after the other: the first compiles for all.
    async fn add_node(&mut self, number: usize) -> Result<()> {
        let links = Links::lay(&self.nats, &self.pbxs).await?;
        let toml = self.configuration(&links)?;
        let mut node = Node::prepare(&format!("tp{}", number + 1), &toml, &compiled())?;
        node.start()?;
        node.ready(SOON).await?;
        telepulse_tests::plugins::share(&node.compiled(), &compiled())?;
        self.nodes.push(node);
        self.links.push(links);
        Ok(())
    }

    fn configuration(&self, links: &Links) -> Result<String> {
        let nats: Vec<String> =
            links.nats.iter().map(|link| format!("\"nats://{}\"", link.address())).collect();
        let mut toml = format!(
            "[bus]\nkind = \"nats\"\nurl = [{}]\nreplicas = 3\n\
             [store]\nkind = \"redis\"\nurl = \"{}\"\npath = \"data\"\n\
             [commands]\nperSecond = 1000\ndialsPerMinute = 100000\ndialsPerNumber = 100000\n",
            nats.join(", "),
            self.redis.url(),
        );
        for (pbx, asterisk) in self.pbxs.iter().enumerate() {
            write!(
                toml,
                "[[server]]\nid = \"{}\"\nhost = \"127.0.0.1\"\nport = {}\nkeepAlive = 2\n\
                 username = \"{}\"\nsecret = \"{}\"\n",
                id(pbx),
                links.pbxs[pbx].address().port(),
                asterisk.username(),
                asterisk.secret()
            )?;
        }
        Ok(toml)
    }

    /// Where clients find the nodes.
    pub(crate) fn gateways(&self) -> Vec<u16> {
        self.nodes.iter().map(|node| node.ws).collect()
    }

    /// Mends every link, and waits until everything is as it was in the beginning.
    pub(crate) async fn is_healed(&mut self) -> Result<()> {
        self.links.iter().for_each(Links::heal);
        self.nats.is_whole().await?;
        for node in &mut self.nodes {
            node.ready(SOON).await?;
        }
        for pbx in 0..PBXS {
            self.is_connected(pbx).await?;
        }
        Ok(())
    }

    /// Waits until each node shows a server as connected.
    async fn is_connected(&self, pbx: usize) -> Result<()> {
        for node in 0..NODES {
            self.server(node, pbx, |server| server["state"] == "CONNECTED").await?;
        }
        Ok(())
    }

    /// A server as a node shows it, once something is so of it.
    pub(crate) async fn server(
        &self,
        node: usize,
        pbx: usize,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let node = &self.nodes[node];
        let url = format!("http://127.0.0.1:{}/servers/{}", node.admin, id(pbx));
        let mut shown = String::new();
        let found = wait::until("a server to be as it should", SOON, async || {
            let Ok(answer) = reqwest::get(&url).await else { return Ok(None) };
            shown = answer.text().await?;
            Ok(Some(serde_json::from_str(&shown)?).filter(&is_so))
        });
        found.await.with_context(|| format!("{}: {shown}", node.name()))
    }

    /// The node that has a server, as a node shows it.
    pub(crate) async fn owner(&self, node: usize, pbx: usize) -> Result<usize> {
        let server = self.server(node, pbx, |server| server["owner"].is_string()).await?;
        let found = self.nodes.iter().position(|node| server["owner"] == node.name());
        found.with_context(|| format!("no node is the owner: {server}"))
    }

    /// What everybody said: for the message of a failed test.
    pub(crate) fn logs(&self) -> String {
        let mut all = String::new();
        for node in &self.nodes {
            // Writing to a String cannot fail.
            let _ = writeln!(all, "node {}:\n{}", node.name(), node.log());
        }
        all + &self.nats.log()
    }
}

/// What nodes have compiled, kept from test to test.
pub(crate) fn compiled() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")
}

/// 101 talks with 102 all the while; 103 takes any number of calls, and ends each after a while.
async fn people(pbx: &Asterisk) -> Result<Vec<Phone>> {
    let ring = Duration::from_millis(100);
    let callee = Phone::answering(pbx.phone_port("102")?, ring).await?;
    let a_while = [Act::Talk(Duration::from_secs(20)), Act::HangUp];
    let busy = Phone::acting(pbx.phone_port("103")?, ring, &a_while).await?;
    let caller = Phone::call(pbx, "101", "102")?;
    Ok(vec![callee, busy, caller])
}
