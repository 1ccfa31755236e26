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
    GET "metrics" => metrics;
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
