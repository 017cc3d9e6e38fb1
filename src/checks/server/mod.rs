//! Checks on the running server: whether it is ready, its version, its last verification; and on the limit
//! on open files.

pub mod metrics_text;
pub mod running_server;

use self::running_server::CallbackListener;
use crate::checks::context::CheckContext;
use crate::checks::finding::Finding;

/// Fewer open files than this are not enough for the 8,192 connections that `serve` accepts for callbacks,
/// and some 256 others.
const OPEN_FILES_FEW: u64 = 8192 + 256;

/// Checks that a server is running and ready.
pub fn ready(context: &CheckContext) -> Vec<Finding> {
    let server = &context.server;
    let Some(address) = server.address else { return Vec::new() };
    let missing: fn(String, &'static str) -> Finding = match context.server_is_due {
        true => Finding::fail,
        false => Finding::warn,
    };
    vec![match (&server.ready, server.is_held) {
        (Some((200, _)), _) => Finding::ok(format!("answers on {address}")),
        (Some((_, json)), _) => Finding::fail(
            format!("on {address}: {}", json["reason"].as_str().unwrap_or("it does not say why")),
            "see docs/operations/health.md, \"What 503 means\"; if the views are being rebuilt, wait",
        ),
        (None, true) => missing(
            format!("a process holds the ledger, and no server answers on {address}"),
            "a command is running, or serve was started with other addresses: run doctor with the same flags",
        ),
        (None, false) => missing(
            format!("no server answers on {address}"),
            "start serve: callbacks that no server receives are lost",
        ),
    }]
}

/// Checks that the callback listener responds.
pub fn callbacks(context: &CheckContext) -> Vec<Finding> {
    let Some(CallbackListener { address, code }) = context.server.callbacks else {
        return Vec::new();
    };
    vec![match code {
        Some(200) => Finding::ok(format!("{address} answers")),
        Some(code) => Finding::warn(
            format!("{address} answers {code}"),
            "another program listens there, or serve was started with another --listen",
        ),
        None => Finding::warn(
            format!("{address} does not answer"),
            "give doctor the --listen of serve; if it is the same, serve is overloaded: check its CPU",
        ),
    }]
}

/// Checks that the server has the same version as this program.
pub fn version(context: &CheckContext) -> Vec<Finding> {
    let Some(metrics) = &context.server.metrics else { return Vec::new() };
    let versions = metrics.labelled("delivery_ledger_build_info", "version");
    let Some((theirs, _)) = versions.into_iter().next() else { return Vec::new() };
    let ours = env!("CARGO_PKG_VERSION");
    vec![match theirs == ours {
        true => Finding::ok(theirs),
        false => Finding::warn(
            format!("the server is {theirs}, this program {ours}"),
            "use the same version; restart serve after an update",
        ),
    }]
}

/// Checks the result of the last background verification.
pub fn verification(context: &CheckContext) -> Vec<Finding> {
    let Some((_, json)) = &context.server.ready else { return Vec::new() };
    let verified = &json["verified"];
    let at = verified["at"].as_str().unwrap_or_default();
    if verified.is_null() && json["nodes"]["leads"] == false {
        return vec![Finding::ok("the leading node verifies the log, and reports the result")];
    }
    vec![match (verified["findings"].as_u64(), verified["error"].as_str()) {
        (None, _) => Finding::ok("none yet; the first begins a minute after the start"),
        (Some(_), Some(error)) => {
            Finding::fail(format!("{at}: it did not complete: {error}"), "run verify")
        }
        (Some(0), None) => {
            Finding::ok(format!("{at}: no problem up to position {}", verified["position"]))
        }
        (Some(count), None) => Finding::fail(
            format!("{at}: {count} findings"),
            "run verify, and keep the files as they are",
        ),
    }]
}

/// Checks the limit of open files; `serve` raises its own soft limit to the hard one.
pub fn open_files(_: &CheckContext) -> Vec<Finding> {
    let Ok((_, hard)) = rlimit::Resource::NOFILE.get() else { return Vec::new() };
    let detail = match hard {
        rlimit::INFINITY => "no limit".to_owned(),
        hard => format!("up to {hard} for a process of this user"),
    };
    vec![match hard < OPEN_FILES_FEW {
        false => Finding::ok(detail),
        true => Finding::warn(
            detail,
            "8,192 connections need one each: raise it (LimitNOFILE in systemd, ulimits in containers)",
        ),
    }]
}
