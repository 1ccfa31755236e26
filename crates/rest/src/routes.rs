//! Which path and method lead to which endpoint: an explicit list.

use std::{future::Future, pin::Pin};

use http::Method;

use crate::{
    call::{Answer, Call},
    endpoints as e,
};

/// A boxed answer on its way.
pub(crate) type Served = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// One line of the table; `{}` in a path is a parameter.
pub(crate) struct Route {
    pub(crate) method: Method,
    path: &'static str,
    pub(crate) endpoint: fn(Call) -> Served,
}

macro_rules! routes {
    ($($method:ident $path:literal => $endpoint:ident;)*) => {
        /// The table.
        pub(crate) static ROUTES: &[Route] = &[
            $(Route { method: Method::$method, path: $path, endpoint: |call| Box::pin(e::$endpoint::handle(call)) },)*
        ];
    };
}

routes! {
    GET "" => root;
    GET "admin/loggers" => list_loggers;
    GET "admin/loggers/{}" => get_logger;
    PUT "admin/loggers/{}" => set_logger;
    GET "connector-plugins" => list_plugins;
    GET "connector-plugins/{}/config" => plugin_config;
    PUT "connector-plugins/{}/config/validate" => validate_config;
    GET "connectors" => list_connectors;
    POST "connectors" => create_connector;
    GET "connectors/{}" => connector_info;
    DELETE "connectors/{}" => delete_connector;
    GET "connectors/{}/config" => connector_config;
    PUT "connectors/{}/config" => put_config;
    PATCH "connectors/{}/config" => patch_config;
    PUT "connectors/{}/fence" => fence;
    GET "connectors/{}/offsets" => get_offsets;
    PATCH "connectors/{}/offsets" => alter_offsets;
    DELETE "connectors/{}/offsets" => reset_offsets;
    PUT "connectors/{}/pause" => pause;
    POST "connectors/{}/restart" => restart_connector;
    PUT "connectors/{}/resume" => resume;
    GET "connectors/{}/status" => connector_status;
    PUT "connectors/{}/stop" => stop;
    GET "connectors/{}/tasks" => list_tasks;
    POST "connectors/{}/tasks" => put_task_configs;
    POST "connectors/{}/tasks/{}/restart" => restart_task;
    GET "connectors/{}/tasks/{}/status" => task_status;
    GET "connectors/{}/topics" => topics;
    PUT "connectors/{}/topics/reset" => reset_topics;
    GET "health" => health;
    GET "milena/v1/connectors/{}" => connector_health;
    GET "milena/v1/openapi.json" => openapi;
    GET "metrics" => metrics;
}

/// The methods of a request target's path as `Allow` lists them; `None`: the path is refused or unknown.
#[must_use]
pub fn allowed_methods(target: &str) -> Option<String> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let routes = find(&crate::path::segments(path).ok()?);
    (!routes.is_empty()).then(|| allowed(&routes))
}

/// The routes of a path with their parameters; more than one when methods differ.
pub(crate) fn find(segments: &[String]) -> Vec<(&'static Route, Vec<String>)> {
    ROUTES
        .iter()
        .filter_map(|route| Some((route, parameters(route.path, segments)?)))
        .collect()
}

fn parameters(path: &str, segments: &[String]) -> Option<Vec<String>> {
    let mut wanted = path.split('/').filter(|part| !part.is_empty());
    let mut found = Vec::new();
    for segment in segments {
        match wanted.next()? {
            "{}" => found.push(segment.clone()),
            literal if literal == segment => {}
            _ => return None,
        }
    }
    wanted.next().is_none().then_some(found)
}

/// The methods of a path as `Allow` lists them.
pub(crate) fn allowed(routes: &[(&Route, Vec<String>)]) -> String {
    let mut methods: Vec<&str> = routes
        .iter()
        .map(|(route, _)| route.method.as_str())
        .collect();
    if methods.contains(&"GET") {
        methods.insert(0, "HEAD");
    }
    methods.push("OPTIONS");
    methods.join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::ROUTES;

    /// `GET /connectors/{}/config` of every operation of the document.
    fn documented() -> BTreeSet<String> {
        let document: serde_json::Value =
            serde_json::from_str(crate::endpoints::openapi::DOCUMENT).unwrap();
        let mut found = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let plain: Vec<&str> = path
                .split('/')
                .map(|part| if part.starts_with('{') { "{}" } else { part })
                .collect();
            for method in operations.as_object().unwrap().keys() {
                found.insert(format!("{} {}", method.to_uppercase(), plain.join("/")));
            }
        }
        found
    }

    #[test]
    fn the_document_and_the_routes_name_the_same_requests() {
        let routes: BTreeSet<String> = ROUTES
            .iter()
            .map(|route| format!("{} /{}", route.method, route.path))
            .collect();
        assert_eq!(documented(), routes);
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let text = crate::endpoints::openapi::DOCUMENT;
        let document: serde_json::Value = serde_json::from_str(text).unwrap();
        for line in text.lines().filter(|line| line.contains("\"$ref\"")) {
            let pointer = line.split('"').nth(3).unwrap().trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
