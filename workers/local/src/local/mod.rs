//! `boxoffice local`: reads the files, runs what they declare, and follows them when they change.

mod overrides;
mod watch;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::pin::pin;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_operator::reservation_service::unsupported::Environment;
use boxoffice_runtime::clock;
use boxoffice_runtime::http::AdminToken;
use boxoffice_runtime::identity::key_text::KeyText;
use boxoffice_runtime::shutdown;
use kube::ResourceExt;
use tokio_util::sync::CancellationToken;

use crate::args::values::ConsumerSetting;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::lint::{lint, warnings};
use crate::platform::declared::{Declared, Secrets};
use crate::platform::{Door, Platform, waiting};
use crate::resources::{Resources, load};
use crate::tell;
use overrides::{secrets, told};
use watch::Watch;

/// What `boxoffice local` is told.
pub struct Local {
    /// Files and folders with the resources.
    pub files: Vec<PathBuf>,
    /// The namespace of resources that name none.
    pub namespace: String,
    /// Which ReservationService to run, as namespace/name, where there are several.
    pub service: Option<String>,
    /// Where everything is kept; without it everything is gone at the end.
    pub data_dir: Option<PathBuf>,
    /// Where to listen.
    pub listen: IpAddr,
    /// The one port; 0 takes a free one.
    pub port: u16,
    /// Further names that the port is reached by.
    pub hosts: Vec<String>,
    /// The token of `/admin`.
    pub admin_token: Option<AdminToken>,
    /// The issuer's key, where `auth.jwt` names a Secret.
    pub jwt_key: Option<KeyText>,
    /// What consumers are told in place of what the files say.
    pub consumers: Vec<ConsumerSetting>,
}

/// What the files declare of one ReservationService.
struct Sale {
    service: ReservationService,
    declared: Declared,
    events: Vec<SeatingEvent>,
}

impl Local {
    /// Runs until Ctrl-C or SIGTERM, then drains.
    ///
    /// # Errors
    /// Resources that are not sound at start, a port or folder that is taken, or a part that ended.
    pub async fn run(self) -> Result<(), Failure> {
        let stop = shutdown::on_signal()?;
        let mut watch = Watch::new(&self.files)?;
        let mut sale = self.read()?;
        let folder = Folder::of(self.data_dir.as_deref(), &sale.declared)?;
        // Whoever comes while the data are read waits for the answer instead of being turned away.
        let addr = SocketAddr::new(self.listen, self.port);
        let door = Door::open(addr, &self.hosts, self.admin_token.clone())?;
        let platform = Platform::open(folder.path()).await?;
        let mut began = false;
        while let Some(next) =
            self.generation(&platform, &door, &folder, &mut watch, &sale, began, &stop).await?
        {
            (sale, began) = (next, true);
        }
        tell::farewell(&folder);
        Ok(())
    }

    /// Runs one version of the service until there is another one, or until `stop`.
    #[expect(clippy::too_many_arguments, reason = "all that outlives a version")]
    async fn generation(
        &self,
        platform: &Platform,
        door: &Door,
        folder: &Folder,
        watch: &mut Watch,
        sale: &Sale,
        began: bool,
        stop: &CancellationToken,
    ) -> Result<Option<Sale>, Failure> {
        let Sale { declared, events, .. } = sale;
        platform.declare(declared).await?;
        let changes = platform.converge(events, declared.partitions()).await?;
        let (readiness, until) = (waiting(), stop.child_token());
        let mut running = pin!(platform.run(declared, door, readiness.clone(), &until));
        let following = async {
            readiness.reached().await;
            if began {
                tell::changes(&changes);
            } else {
                tell::welcome(declared, door, folder, platform, &changes).await?;
            }
            self.follow(platform, watch, sale).await
        };
        let next = tokio::select! {
            ended = &mut running => return Ok(ended.map(|()| None)?),
            next = following => next?,
        };
        // Its roles are drained, and the next version's are started on the same port and data.
        until.cancel();
        running.await?;
        Ok(Some(next))
    }

    /// What the files declare, all of it sound.
    fn read(&self) -> Result<Sale, Failure> {
        let loaded = load(&self.files, &self.namespace)?;
        tell::notes(&loaded.skipped);
        tell::warnings(&warnings(&loaded, clock::now()));
        match lint(&loaded, Environment::Local) {
            findings if findings.is_empty() => self.choose(loaded.resources),
            findings => Err(Failure::Findings(findings)),
        }
    }

    /// The ReservationService to run, with its SeatingEvents.
    fn choose(&self, resources: Resources) -> Result<Sale, Failure> {
        let Resources { services, events } = resources;
        let name = |service: &ReservationService| {
            format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any())
        };
        let names: Vec<_> = services.iter().map(name).collect();
        let mut wanted = services
            .into_iter()
            .filter(|service| self.service.as_ref().is_none_or(|wanted| *wanted == name(service)));
        let service = match (wanted.next(), wanted.next()) {
            (Some(service), None) => service,
            (Some(_), Some(_)) => {
                return Err(Failure::Refused(format!(
                    "the files declare several ReservationServices: choose one with --service {}",
                    names.join(" or ")
                )));
            }
            (None, _) => return Err(Failure::Refused(self.nothing_to_run(&names))),
        };
        let refused =
            |message: String| Failure::Refused(format!("ReservationService {}: {message}", name(&service)));
        let secrets = Secrets { jwt_key: self.jwt_key.clone(), consumers: secrets(&self.consumers) };
        let told = told(&service, &self.consumers).map_err(refused)?;
        let declared = Declared::of(&told, secrets).map_err(|stall| refused(stall.message))?;
        let is_its = |event: &SeatingEvent| {
            event.namespace() == service.namespace() && event.spec.service_ref.name == service.name_any()
        };
        let (events, others): (Vec<_>, Vec<_>) = events.into_iter().partition(is_its);
        tell::notes(&others.iter().map(not_here).collect::<Vec<_>>());
        Ok(Sale { service, declared, events })
    }

    fn nothing_to_run(&self, names: &[String]) -> String {
        match &self.service {
            Some(wanted) if !names.is_empty() => {
                format!("the files declare no ReservationService {wanted}, but {}", names.join(" and "))
            }
            _ => "the files declare no ReservationService: add one, as examples/01-reservation-service.yaml does".into(),
        }
    }

    /// Keeps the SeatingEvents as the files declare them until the service itself is another one. Files that are not
    /// sound change nothing.
    async fn follow(&self, platform: &Platform, watch: &mut Watch, running: &Sale) -> Result<Sale, Failure> {
        loop {
            watch.changed().await;
            let sale = match self.read() {
                Ok(sale) => sale,
                Err(failure) => {
                    tell::stays(&failure);
                    continue;
                }
            };
            let same_data = sale.declared.name() == running.declared.name();
            if !same_data {
                tell::stays(&Failure::Refused(format!(
                    "the files declare {} in place of {}: start again to run it",
                    sale.declared.name(),
                    running.declared.name()
                )));
            } else if sale.service.spec != running.service.spec {
                tell::restarting();
                return Ok(sale);
            } else {
                tell::changes(&platform.converge(&sale.events, running.declared.partitions()).await?);
            }
        }
    }
}

fn not_here(event: &SeatingEvent) -> String {
    format!(
        "SeatingEvent {}/{} is left out: it belongs to ReservationService {}",
        event.namespace().unwrap_or_default(),
        event.name_any(),
        event.spec.service_ref.name
    )
}
