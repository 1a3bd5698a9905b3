//! TLS to NATS: whom a node trusts, and how it shows who it is.

use super::*;
use crate::bus::{
    StartError,
    tests::{count, settled},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{
    fs,
    path::{Path, PathBuf},
};
use tempfile::TempDir;

/// Signs certificates, and puts everything into a folder.
struct Authority {
    name: &'static str,
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new(name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::with_prefix("telepulse-authority-").unwrap();
        fs::write(folder.path().join(name), issuer.pem()).unwrap();
        Self { name, issuer, folder }
    }

    /// The file with its own certificate.
    fn file(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// The files with a certificate for a name, and with its key.
    fn signs(&self, name: &str) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        fs::write(file("pem"), certificate.pem()).unwrap();
        fs::write(file("key"), key.serialize_pem()).unwrap();
        (file("pem"), file("key"))
    }

    /// A NATS that shows a certificate of this authority.
    fn nats(&self, more: &str) -> NatsServer {
        let (cert, key) = self.signs("127.0.0.1");
        let shown = |file: &Path| file.display().to_string();
        NatsServer::with(&format!(
            "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\"\n{more} }}",
            shown(&cert),
            shown(&key),
            shown(&self.file())
        ))
    }
}

/// How one gets to a NATS that encrypts, with an authority to trust.
fn trusting(server: &NatsServer, ca: Option<PathBuf>) -> Nats {
    let mut settings = Nats { ca, ..server.settings() };
    settings.servers.iter_mut().for_each(|place| place.is_encrypted = true);
    settings
}

async fn works(settings: &Nats) {
    let bus = NatsBus::start(settings, "tp1", 100).await.unwrap();
    bus.append(vec![count(1)]);
    assert!(settled(&*bus).await > 0);
    bus.stop().await;
}

/// It does not start, and says where and what to look at.
async fn is_away(settings: &Nats) -> String {
    let error = NatsBus::start(settings, "tp1", 100).await.err().expect("it starts");
    assert!(matches!(error, StartError::Away { .. }), "{error:?}");
    let told = error.to_string();
    let place = settings.servers[0].to_string();
    assert!(told.contains(&place) && told.contains("see [bus] url and ca"), "{told}");
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_nats_of_a_trusted_authority_is_reached_by_tls_and_no_other() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let server = ours.nats("");
    works(&trusting(&server, Some(ours.file()))).await;
    // What is trusted says enough, whatever the URL begins with.
    works(&Nats { ca: Some(ours.file()), ..server.settings() }).await;
    let told = is_away(&trusting(&server, Some(other.file()))).await;
    assert!(told.contains("certificate"), "{told}");
    let told = is_away(&trusting(&server, None)).await;
    assert!(told.contains("certificate"), "this machine does not know it: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_said_to_a_nats_that_does_not_encrypt() {
    let ours = Authority::new("ours");
    let server = NatsServer::start();
    is_away(&trusting(&server, Some(ours.file()))).await;
    is_away(&trusting(&server, None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_show_a_certificate_shows_the_one_of_the_configuration() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let server = ours.nats("verify: true");
    let settings = || trusting(&server, Some(ours.file()));
    works(&Nats { identity: Some(ours.signs("tp1.example")), ..settings() }).await;
    is_away(&settings()).await;
    is_away(&Nats { identity: Some(other.signs("tp1.example")), ..settings() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_says_who_a_node_is() {
    let ours = Authority::new("ours");
    let users = "verify_and_map: true }\nauthorization { users = [ { user: \"tp1.example\" } ]";
    let server = ours.nats(users);
    let settings = || trusting(&server, Some(ours.file()));
    works(&Nats { identity: Some(ours.signs("tp1.example")), ..settings() }).await;
    let stranger = Nats { identity: Some(ours.signs("tp2.example")), ..settings() };
    let error = NatsBus::start(&stranger, "tp2", 100).await.err().expect("it starts");
    assert!(matches!(error, StartError::Refused(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_connection_comes_back() {
    let ours = Authority::new("ours");
    let mut server = ours.nats("verify: true");
    let settings =
        Nats { identity: Some(ours.signs("tp1.example")), ..trusting(&server, Some(ours.file())) };
    let bus = NatsBus::start(&settings, "tp1", 100).await.unwrap();
    bus.append(vec![count(1)]);
    settled(&*bus).await;
    server.kill();
    until("NATS's end", || bus.condition().unwrap().trouble.is_some()).await;
    bus.append(vec![count(2)]);
    server.start_again();
    assert_eq!(settled(&*bus).await, 2, "what was said meanwhile is there");
}
