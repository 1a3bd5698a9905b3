//! Gets a build ready beside the running one: checked, granted, instantiated and initialised.

use crate::{
    asks::{self, SECTION},
    bindings::{StartReason, Surface},
    ctx::{Identity, Rights},
    folder::Source,
    grants::Grants,
    instance::{Instance, Start},
    manifest::{Manifest, Mistake},
    name::PluginName,
    needs,
    runtime::Build,
    secrets,
    shared::Shared,
};
use std::sync::Arc;

/// A build with the grants that it runs under.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) build: Build,
    pub(crate) rights: Arc<Rights>,
    /// The text of its `NAME.toml`.
    pub(crate) toml: String,
}

/// What to get ready.
pub(crate) enum Plan {
    /// What lies in the folder.
    Files(Source),
    /// The same again.
    Version(Version),
}

/// Ready to take over.
pub(crate) struct Candidate {
    pub(crate) version: Version,
    /// One for each shard; none for a component that only answers HTTP.
    pub(crate) instances: Vec<Instance>,
}

/// Why something does not get ready.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The component, if it could be read.
    pub(crate) hash: Option<String>,
    pub(crate) error: String,
    /// Grants that it lacks; then it waits for them.
    pub(crate) missing: Vec<String>,
    pub(crate) build: Option<Build>,
}

impl Refusal {
    fn of(build: &Build, error: String) -> Self {
        Self {
            hash: Some(build.hash().to_owned()),
            error,
            missing: Vec::new(),
            build: Some(build.clone()),
        }
    }
}

/// How an instance starts.
#[derive(Clone, Copy)]
pub(crate) struct Beginning {
    pub(crate) incarnation: u64,
    pub(crate) reason: StartReason,
}

/// Does all of it. `known` is the build that runs, used again if the bytes are the same.
pub(crate) async fn prepare(
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    plan: Plan,
    known: Option<Build>,
    beginning: Beginning,
) -> Result<Candidate, Refusal> {
    let version = match plan {
        Plan::Version(version) => version,
        Plan::Files(source) => version(&shared, &identity, source, known).await?,
    };
    let instances = start(&shared, identity, &version, beginning)
        .await
        .map_err(|error| Refusal::of(&version.build, error))?;
    Ok(Candidate { version, instances })
}

async fn version(
    shared: &Shared,
    identity: &Identity,
    source: Source,
    known: Option<Build>,
) -> Result<Version, Refusal> {
    let hash = source.hash;
    let fail =
        |error| Refusal { hash: Some(hash.clone()), error, missing: Vec::new(), build: None };
    let build = if let Some(build) = known.filter(|build| build.hash() == hash) {
        build
    } else {
        let build = shared.load(source.wasm.clone()).await.map_err(fail)?;
        shared.keep(&identity.name, &hash, source.wasm).await;
        build
    };
    let toml = source.toml;
    let file = format!("{}.toml", identity.name);
    let manifest = Manifest::parse(&toml)
        .map_err(|mistakes| Refusal::of(&build, format!("{file}: {}", Mistake::all(&mistakes))))?;
    check_grants(&identity.name, &build, &manifest.grants)?;
    let Surface { connection_handler, policy, .. } = build.surface();
    if manifest.limits.shards > 1 && (connection_handler || policy) {
        let error = format!(
            "{file}: limits.shards: what has connections, or decides on commands, runs as one \
             instance: leave it out"
        );
        return Err(Refusal::of(&build, error));
    }
    let rights = secrets::resolve(&manifest)
        .map_err(|error| Refusal::of(&build, format!("{file}: {error}")))?;
    Ok(Version { build, rights: Arc::new(rights), toml })
}

/// Imports within asks, asks within grants. Without asks its imports and exports decide.
fn check_grants(name: &PluginName, build: &Build, grants: &Grants) -> Result<(), Refusal> {
    let told = |missing: Vec<needs::Missing>| -> String {
        let each = missing.iter().map(|one| format!("{} ({})", one.grant, one.because));
        each.collect::<Vec<_>>().join(", ")
    };
    let (missing, error) = if let Some(asks) = build.asks() {
        let unasked = build.missing(&asks.grants);
        if !unasked.is_empty() {
            let error = format!("its section {SECTION} does not ask for {}", told(unasked));
            return Err(Refusal::of(build, error));
        }
        let missing: Vec<_> =
            asks::lacking(&asks.grants, grants).iter().map(ToString::to_string).collect();
        let list = missing.join(", ");
        (
            missing,
            format!("it waits for grants: {list}; `telepulse plugins approve {name}` grants them"),
        )
    } else {
        let missing = build.missing(grants);
        let names = missing.iter().map(|one| one.grant.to_owned()).collect();
        (names, format!("{name}.toml: under [grants] is missing: {}", told(missing)))
    };
    if missing.is_empty() { Ok(()) } else { Err(Refusal { missing, ..Refusal::of(build, error) }) }
}

/// Instantiates and initialises, once for each shard. What only answers HTTP is started once for the
/// check and let go.
async fn start(
    shared: &Shared,
    identity: Arc<Identity>,
    version: &Version,
    beginning: Beginning,
) -> Result<Vec<Instance>, String> {
    let Beginning { incarnation, reason } = beginning;
    let budget = shared.init_budget;
    let rights = Arc::clone(&version.rights);
    let start = Start { identity, rights, principal: None, budget };
    let mut instances = Vec::new();
    for _ in 0..version.rights.limits.shards {
        let instance = Instance::new(&version.build, start.clone()).await;
        let instance = instance.map_err(|fault| fault.to_string())?;
        let (instance, answer) =
            instance.init(budget, incarnation, reason).await.map_err(|fault| fault.to_string())?;
        answer.map_err(|why| format!("lifecycle.init: {}", crate::failure::shorten(&why)))?;
        instances.push(instance);
    }
    if !version.build.surface().is_resident() {
        instances.clear();
    }
    Ok(instances)
}
