//! What users do: create, change, pause, stop, resume, restart and delete connectors.

use milena_core::{
    ConnectorName,
    cluster::{RawProps, TargetState},
    herder::Request,
};

use super::engine::{Event, Origin, World};

impl World {
    pub(super) fn client(&mut self) {
        if self.healed {
            return;
        }
        let pause = self.rng.between(500, 20_000);
        self.after(pause, Event::Client);
        let Some(leader) = self.leader() else { return };
        let herder = self.hosts.get(leader).and_then(|host| host.herder.as_ref());
        let names: Vec<ConnectorName> = herder
            .map(|herder| herder.cluster().connectors().cloned().collect())
            .unwrap_or_default();
        let choice = self.rng.between(0, 9);
        let some = self.rng.pick(&names).cloned();
        let request = match (choice, some) {
            (0..=2, _) | (_, None) if names.len() < 8 => {
                self.connectors_made += 1;
                self.seen("connectors created");
                self.put(ConnectorName::from(format!("k{}", self.connectors_made)))
            }
            (_, None) => return,
            (0..=3, Some(name)) => {
                self.seen("connectors changed");
                self.put(name)
            }
            (4, Some(name)) => {
                self.seen("connectors deleted");
                Request::DeleteConnector(name)
            }
            (5, Some(name)) => {
                self.seen("connectors stopped");
                Request::StopConnector(name)
            }
            (6, Some(name)) => Request::SetTarget {
                name,
                target: TargetState::Paused,
            },
            (7, Some(name)) => Request::RestartConnector(name),
            (_, Some(name)) => Request::SetTarget {
                name,
                target: TargetState::Started,
            },
        };
        self.ask(leader, request, Origin::Client);
    }

    fn put(&mut self, name: ConnectorName) -> Request {
        let tasks = self.rng.between(0, 6);
        let config = RawProps::from([
            ("connector.class".to_owned(), Some("Simulated".to_owned())),
            ("name".to_owned(), Some(name.to_string())),
            ("tasks".to_owned(), Some(tasks.to_string())),
            (
                "set".to_owned(),
                Some(self.rng.between(1, 1 << 40).to_string()),
            ),
        ]);
        Request::PutConnector {
            name,
            config,
            target: None,
            replace: true,
        }
    }
}
